-- How long the packages of a vendor take that are ordered most, by when they were ordered.
with
named as (
    select
        * replace (coalesce(package, 'no package') as package),
        sum(n_ordered) over (partition by vendor, package) as n_of_package
    from analytics.turnaround_trend
),

ranked as (
    select
        *,
        dense_rank() over (partition by vendor order by n_of_package desc nulls last, package asc nulls last) as place
    from named
)

select
    vendor,
    package,
    part,
    strftime(ordered_on, '%Y-%m-%dT00:00:00') as ordered_on,
    n,
    n_open,
    p50
from ranked
-- Fewer make a line of chance.
where n >= 10 and place <= 4
order by vendor asc nulls last, place asc nulls last, ordered_on asc nulls last
