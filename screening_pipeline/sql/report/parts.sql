-- How long the parts of checks take that are most often complete.
select * from analytics.turnaround_by_check_type
where n > 0
qualify row_number() over (partition by vendor order by n desc, check_type asc) <= 6
order by vendor asc, n desc, check_type asc
