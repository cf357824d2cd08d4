-- One row per check and state that it was in before its screening was complete: how long, by what was seen.
--
-- check_key   the check
-- event_seq   star.fact_check_event; with what it begins
-- vendor      vendor
-- account     account
-- package     what was ordered
-- state       lifecycle
-- entered_at  when it began, as likely as not: in the middle between two looks; the order, for the first one
-- seen_from   the first observation of the state
-- seen_until  the last observation of the state
-- left_by     the first observation of another one, null while there is none
-- next_state  the lifecycle then, `end:complete` or `end:otherwise`; null while there is none
-- @refresh view
with
-- Changes alone: whatever is taken through the windows is sorted with them.
followed as (
    select
        check_key,
        event_seq,
        lifecycle,
        channel,
        observed_at,
        observed_at_earliest,
        is_terminal is true or lifecycle = 'completed' as is_end,
        lead(observed_at_earliest) over sequence as before_next_at,
        lead(observed_at) over sequence as left_by,
        lead(lifecycle) over sequence as next_lifecycle,
        lead(is_terminal is true or lifecycle = 'completed') over sequence as is_next_end,
        coalesce(bool_or(is_terminal is true or lifecycle = 'completed') over (
            partition by check_key
            order by event_seq asc nulls last rows between unbounded preceding and 1 preceding
        ), false) as is_after_end
    from star.fact_check_event
    window sequence as (partition by check_key order by event_seq asc nulls last)
)

select
    e.check_key,
    e.event_seq,
    f.vendor,
    f.account,
    f.package,
    e.lifecycle as state,
    case
        when e.event_seq = 1 then least(f.ordered_at, e.observed_at)
        when e.channel <> 'pull' then e.observed_at
        -- Not in days: these have 23 or 25 hours where the reader lives.
        else coalesce(
            make_timestamptz((epoch_us(e.observed_at) + epoch_us(e.observed_at_earliest)) // 2), e.observed_at
        )
    end as entered_at,
    e.observed_at as seen_from,
    greatest(e.observed_at, coalesce(e.before_next_at, f.last_observed_at)) as seen_until,
    e.left_by,
    case
        when not e.is_next_end then e.next_lifecycle
        when e.next_lifecycle = 'completed' then 'end:complete'
        when e.is_next_end then 'end:otherwise'
    end as next_state
from followed as e
inner join star.fact_check as f on e.check_key = f.check_key
inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where
    not e.is_end and not e.is_after_end
    and a.is_analyzed and f.ordered_at is not null and not star.is_ongoing(f.subject)
