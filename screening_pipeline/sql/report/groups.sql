-- How long checks take by vendor, by package, and by package and month: what the turnaround of the page is filtered by.
with
named as (
    select
        g.*,
        if(g.grain = 'vendor', null, coalesce(k.label, g.package, 'no package')) as package_name,
        max(g.n) filter (where g.grain = 'package') over (partition by g.vendor, g.package) as n_of_package
    from analytics.group_turnaround as g
    left join analytics.package_label as k on g.vendor = k.vendor and g.package = k.package
    where g.grain <> 'month' or g.month is not null
),

placed as (
    select
        *,
        dense_rank() over (
            partition by vendor, grain order by n_of_package desc nulls last, package asc nulls last
        ) as place,
        dense_rank() over (partition by grain order by month desc nulls last) as months_ago
    from named
)

select
    vendor,
    package_name as package,
    strftime(month, '%Y-%m') as month,
    n,
    n_completed,
    n_open,
    median_days * 86400 as median,
    low * 86400 as median_low,
    high * 86400 as median_high,
    ci_low * 86400 as interval_low,
    ci_high * 86400 as interval_high,
    p90_days * 86400 as ninety,
    p90_low * 86400 as ninety_low,
    p90_high * 86400 as ninety_high,
    note
from placed
-- As many months as in statements/find_first_month.sql: of others nothing is computed for the report.
where place <= 12 and months_ago <= 13
order by vendor asc nulls last, package asc nulls first, month asc nulls first
