-- The open checks that have waited longest, and who has to act: what the head of the page counts and filters.
with
package_name as (
    select
        vendor,
        package,
        coalesce(any_value(package_name order by package_key asc nulls last), package) as package_name
    from star.dim_package
    group by vendor, package
),

-- Two of the same name are told apart by what is ordered.
package_label as (
    select
        vendor,
        package,
        if(
            count(*) over (partition by vendor, package_name) > 1, concat(package_name, ' ', package), package_name
        ) as label
    from package_name
)

select
    a.vendor,
    coalesce(k.label, a.package, 'no package') as package,
    strftime(c.ordered_month, '%Y-%m') as month,
    c.country,
    coalesce(a.next_actor, 'unknown') as holder,
    a.check_id,
    a.lifecycle,
    a.age_seconds,
    a.held_seconds,
    a.is_stale
from analytics.open_check_ageing as a
left join analytics.check_clock as c on a.check_key = c.check_key
left join package_label as k on a.vendor = k.vendor and a.package = k.package
order by a.age_seconds desc nulls last, a.check_key asc nulls last
limit 5000
