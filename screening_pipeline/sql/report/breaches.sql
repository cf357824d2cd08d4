-- The worst of the promises that were broken, and how many there are.
select
    *,
    count(*) over () as breaches
from analytics.sla_breaches
order by is_certain desc, coalesce(overrun_seconds, overrun_business_days * 86400) desc, check_key asc
limit 12
