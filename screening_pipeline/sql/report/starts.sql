-- The open checks that will hardly be complete before they are needed, the likeliest to be late first.
select
    *,
    count(*) over () as starts
from analytics.starts_at_risk
where is_at_risk
order by chance_in_time asc nulls last, needed_by asc nulls last, check_key asc nulls last
limit 50
