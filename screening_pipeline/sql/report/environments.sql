-- Which environments the views count.
select distinct environment
from star.dim_account
where is_analyzed
order by environment asc nulls last
