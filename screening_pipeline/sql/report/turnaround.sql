-- How long checks take.
select * from analytics.turnaround_by_vendor
order by vendor asc nulls last
