-- How long checks stayed in each state, as it was known at `$now`, of those whose stay began after `$since`.
--
-- Whoever had left before the first look is in no stay of a state that was seen, so first stays are watched from that
-- look on; until then each check is in a state that nobody knows.
with
stay as (
    select
        check_key,
        vendor,
        coalesce(package, '') as package,
        state,
        epoch(entered_at) as entered,
        epoch(if(event_seq = 1, seen_from, entered_at)) as watched_from,
        epoch(seen_until) as seen_until,
        epoch(left_by) as left_by,
        next_state
    from analytics.check_stay
    where entered_at >= $since and seen_from <= $now
),

before as (
    select
        f.check_key,
        f.vendor,
        coalesce(f.package, '') as package,
        'unknown' as state,
        epoch(f.ordered_at) as entered,
        epoch(f.ordered_at) as watched_from,
        epoch(f.ordered_at) as seen_until,
        epoch(e.observed_at) as left_by,
        case
            when e.lifecycle = 'completed' then 'end:complete' when e.is_terminal then 'end:otherwise' else e.lifecycle
        end as next_state
    from star.fact_check as f
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    left join star.fact_check_event as e on f.check_key = e.check_key and e.event_seq = 1
    where
        a.is_analyzed and f.ordered_at between $since and $now and not star.is_ongoing(f.subject)
        and (e.check_key is null or e.observed_at > f.ordered_at)
)

select * from stay
union all
select * from before
order by check_key asc nulls last, entered asc nulls last, state asc nulls last;
