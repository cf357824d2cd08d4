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
stay as (
    select
        e.check_key,
        e.event_seq,
        e.lifecycle,
        f.vendor,
        f.account,
        f.package,
        f.last_observed_at,
        e.observed_at as seen_from,
        case
            when e.event_seq = 1 then least(f.ordered_at, e.observed_at)
            when e.channel <> 'pull' then e.observed_at
            -- Not in days: these have 23 or 25 hours where the reader lives.
            else coalesce(
                make_timestamptz((epoch_us(e.observed_at) + epoch_us(e.observed_at_earliest)) // 2), e.observed_at
            )
        end as entered_at,
        e.is_terminal is true or e.lifecycle = 'completed' as is_end,
        lead(e.observed_at_earliest) over sequence as before_next_at,
        lead(e.observed_at) over sequence as left_by,
        lead(e.lifecycle) over sequence as next_lifecycle,
        lead(e.is_terminal is true or e.lifecycle = 'completed') over sequence as is_next_end,
        coalesce(bool_or(e.is_terminal is true or e.lifecycle = 'completed') over (
            partition by e.check_key
            order by e.event_seq asc nulls last rows between unbounded preceding and 1 preceding
        ), false) as is_after_end
    from star.fact_check_event as e
    inner join star.fact_check as f on e.check_key = f.check_key
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    where a.is_analyzed and f.ordered_at is not null and not star.is_ongoing(f.subject)
    window sequence as (partition by e.check_key order by e.event_seq asc nulls last)
)

select
    check_key,
    event_seq,
    vendor,
    account,
    package,
    lifecycle as state,
    entered_at,
    seen_from,
    greatest(seen_from, coalesce(before_next_at, last_observed_at)) as seen_until,
    left_by,
    case
        when not is_next_end then next_lifecycle
        when next_lifecycle = 'completed' then 'end:complete'
        when is_next_end then 'end:otherwise'
    end as next_state
from stay
where not is_end and not is_after_end
