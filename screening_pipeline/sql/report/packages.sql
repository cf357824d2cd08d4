-- How long the packages of a vendor take of which most are ordered.
with
percentile as (
    select
        vendor,
        package,
        any_value(value) filter (where percentile = 50 and assumption = 'middle') as p50,
        any_value(value) filter (where percentile = 75 and assumption = 'middle') as p75,
        any_value(value) filter (where percentile = 90 and assumption = 'middle') as p90,
        any_value(value) filter (where percentile = 95 and assumption = 'middle') as p95,
        any_value(value) filter (where percentile = 50 and assumption = 'earliest') as p50_earliest
    from analytics.group_percentile
    where grain = 'package' and unit = 'seconds'
    group by vendor, package
)

select
    t.vendor,
    coalesce(k.label, t.package, 'no package') as package,
    t.n,
    p.p50,
    p.p75,
    p.p90,
    p.p95,
    p.p50_earliest
from analytics.turnaround_by_package as t
inner join percentile as p on t.vendor = p.vendor and t.package is not distinct from p.package
left join analytics.package_label as k on t.vendor = k.vendor and t.package = k.package
where t.median_days is not null
qualify row_number() over (partition by t.vendor order by t.n desc nulls last, t.package asc nulls last) <= 6
order by t.vendor asc nulls last, t.n desc nulls last, t.package asc nulls last
