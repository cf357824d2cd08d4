-- How long the packages of a vendor take that are ordered most, by when they were ordered.
with
named as (
    select
        t.*,
        coalesce(k.label, t.package, 'no package') as label,
        sum(t.n_ordered) over (partition by t.vendor, t.package) as n_of_package
    from analytics.turnaround_trend as t
    left join analytics.package_label as k on t.vendor = k.vendor and t.package = k.package
),

ranked as (
    select
        *,
        dense_rank() over (partition by vendor order by n_of_package desc nulls last, package asc nulls last) as place
    from named
)

select
    vendor,
    label as package,
    part,
    strftime(ordered_on, '%Y-%m-%dT00:00:00') as ordered_on,
    n,
    n_open,
    p50
from ranked
-- Fewer make a line of chance.
where n >= 10 and place <= 4
order by vendor asc nulls last, place asc nulls last, ordered_on asc nulls last
