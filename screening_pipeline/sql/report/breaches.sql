-- The worst of the promises that were broken, and how many there are.
select
    b.* replace (coalesce(k.package_name, b.package) as package),
    count(*) over () as breaches
from analytics.sla_breaches as b
left join star.dim_package as k on b.vendor = k.vendor and b.account = k.account and b.package = k.package
order by
    b.is_certain desc nulls last,
    coalesce(b.overrun_seconds, b.overrun_business_days * 86400) desc nulls last,
    b.check_key asc nulls last
limit 12
