-- The checks that have waited longest for a decision, and how many wait.
select
    *,
    count(*) over () as waiting
from analytics.missing_adjudication
order by waiting_seconds desc nulls last, check_key asc nulls last
limit 12
