-- How long the parts of checks take that are most often complete.
select * from analytics.turnaround_by_check_type
where n > 0
qualify row_number() over (partition by vendor order by n desc nulls last, check_type asc nulls last) <= 6
order by vendor asc nulls last, n desc nulls last, check_type asc nulls last
