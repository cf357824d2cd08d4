-- The worst of the promises that were broken, and how many there are.
select
    *,
    count(*) over () as breaches
from analytics.sla_breaches
order by
    is_certain desc nulls last, coalesce(overrun_seconds, overrun_business_days * 86400) desc nulls last,
    check_key asc nulls last
limit 12
