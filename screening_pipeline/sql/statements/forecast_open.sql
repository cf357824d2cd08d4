-- The open checks in the state they were last seen in: those that changed since their forecast, or `$is_all`.
with
waiting as (
    select
        f.check_key,
        f.vendor,
        f.package,
        f.ordered_at,
        f.last_observed_at,
        f.last_changed_at,
        timezone(a.timezone, f.needed_by::timestamp) as needed_at
    from star.fact_check as f
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    left join ops.check_eta as e on f.check_key = e.check_key
    where
        a.is_analyzed and f.is_terminal is not true and f.completed_at is null and f.ordered_at is not null
        and not star.is_ongoing(f.subject)
        and ($is_all or e.check_key is null or e.changed_at is distinct from f.last_changed_at)
),

-- Whoever was never looked at is in a state that nobody knows.
stay as (
    select
        e.check_key,
        max(e.event_seq) as event_seq,
        max_by(e.lifecycle, e.event_seq) as lifecycle,
        max_by(e.observed_at, e.event_seq) as observed_at,
        -- As in `analytics.check_stay`: in the middle between two looks, if nobody told of it.
        max_by(
            make_timestamptz(
                (epoch_us(e.observed_at) + epoch_us(coalesce(e.observed_at_earliest, e.observed_at))) // 2
            ),
            e.event_seq
        ) as began_between,
        max_by(e.channel, e.event_seq) as channel
    from star.fact_check_event as e
    semi join waiting as w on e.check_key = w.check_key
    group by e.check_key
)

select
    w.check_key,
    w.vendor,
    coalesce(w.package, '') as package,
    coalesce(s.lifecycle, 'unknown') as state,
    epoch(
        case
            when s.event_seq = 1 then least(w.ordered_at, s.observed_at)
            when s.channel = 'pull' then s.began_between
            else coalesce(s.observed_at, w.ordered_at)
        end
    ) as entered,
    epoch(greatest(coalesce(s.observed_at, w.ordered_at), w.last_observed_at)) as seen_until,
    epoch(w.last_changed_at) as changed,
    epoch(d.due_at) as due,
    epoch(w.needed_at) as needed
from waiting as w
left join stay as s on w.check_key = s.check_key
left join analytics.open_check_due as d on w.check_key = d.check_key
order by w.check_key asc nulls last;
