-- Each stay that was seen, and what the first look at each check showed: how the looks around it lie apart, in seconds.
-- Of many checks one in `$every`.
with
looked as (
    select
        e.check_key,
        e.event_seq,
        f.vendor,
        f.account,
        f.ordered_at,
        e.lifecycle as state,
        f.completed_at is not null or f.is_terminal is true as is_over,
        e.channel,
        e.observed_at,
        e.observed_at_earliest,
        e.is_terminal is true or e.lifecycle = 'completed' as is_end
    from star.fact_check_event as e
    inner join star.fact_check as f on e.check_key = f.check_key
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    where
        a.is_analyzed and f.ordered_at between $since and e.observed_at and not star.is_ongoing(f.subject)
        and hash(e.check_key) % $every = 0
)

select
    l.check_key,
    l.vendor,
    l.account,
    l.state,
    l.event_seq = 1 as is_first,
    l.is_end,
    l.is_over,
    -- Of a change that the vendor tells itself nothing is lost.
    if(
        l.channel = 'pull' or l.event_seq = 1,
        epoch(l.observed_at) - epoch(if(l.event_seq = 1, l.ordered_at, l.observed_at_earliest)), 0
    ) as before,
    epoch(s.seen_until) - epoch(l.observed_at) as within,
    epoch(s.left_by) - epoch(s.seen_until) as after
from looked as l
left join analytics.check_stay as s on l.check_key = s.check_key and l.event_seq = s.event_seq
where s.check_key is not null or (l.event_seq = 1 and l.is_end)
order by l.check_key asc nulls last, l.event_seq asc nulls last;
