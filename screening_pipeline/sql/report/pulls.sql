-- What calls cost and bring in all weeks, how late changes were seen in the latest week with any, and what nobody saw.
with
called as (
    select
        vendor,
        sum(n_calls)::bigint as n_calls,
        sum(n_changed)::bigint as n_changed,
        sum(n_unchanged)::bigint as n_unchanged,
        sum(n_rejected + n_throttled + n_failed)::bigint as n_lost,
        sum(n_changes)::bigint as n_changes,
        sum(n_calls) / nullif(sum(n_changes), 0) as calls_per_change,
        max(budget_share) as budget_share,
        arg_max(p50, week) filter (where p50 is not null) as p50,
        arg_max(p95, week) filter (where p50 is not null) as p95,
        arg_max(p50_earliest, week) filter (where p50 is not null) as p50_earliest
    from analytics.pull_efficiency
    group by vendor
),

missed as (
    select
        vendor,
        sum(n_lost_before + n_lost_between)
        / nullif(sum(n_seen + n_lost_before + n_lost_between), 0) as share_lost
    from analytics.lost_states
    group by vendor
)

select
    c.*,
    m.share_lost
from called as c
left join missed as m on c.vendor = m.vendor
order by c.vendor asc nulls last
