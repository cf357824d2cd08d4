-- The first month of which the report shows turnaround, the thirteenth from the last; no row where there are fewer.
select distinct month
from analytics.turnaround_group
where grain = 'month' and month is not null
order by month desc nulls last
limit 1 offset 12
