-- The open checks that have waited longest, and who has to act: what the head of the page counts and filters.
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
left join analytics.package_label as k on a.vendor = k.vendor and a.package = k.package
order by a.age_seconds desc nulls last, a.check_key asc nulls last
limit 5000
