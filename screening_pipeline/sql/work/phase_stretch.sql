-- One row per check being recomputed and change of hands: whose time began then, until when, and how sure that is.
--
-- @refresh work
with
-- What happens after the screening is complete is no part of its turnaround.
done as (
    select
        check_key,
        min(event_seq) as event_seq
    from star.fact_check_event
    semi join concerned using (check_key)
    where lifecycle = 'completed' and not (result = 'referred' and occurred_at is null)
    group by check_key
),

-- The end of the screening is the last change of hands.
handed as (
    select
        c.*,
        e.event_seq,
        coalesce(e.event_seq = d.event_seq, false) as is_end,
        star.phase_of(e.next_actor) as phase,
        -- Vendors' times may lie before the order or run backwards; the clock does neither.
        max(greatest(
            c.ordered_at,
            least(c.ended_at, coalesce(e.occurred_at, e.observed_at))
        )) over sequence as taken_at,
        -- The last look that showed who had to act before.
        max(greatest(
            c.ordered_at,
            least(c.ended_at, coalesce(e.occurred_at, e.observed_at), coalesce(e.observed_at_earliest, c.ordered_at))
        )) over sequence as seen_before_at
    from phase_clock as c
    inner join star.fact_check_event as e on c.check_key = e.check_key
    left join done as d on c.check_key = d.check_key
    where e.event_seq <= d.event_seq or d.event_seq is null
    window sequence as (partition by c.check_key order by e.event_seq asc nulls last rows unbounded preceding)
),

dated as (
    select
        h.*,
        taken_day.business_day_number as taken_day,
        before_day.business_day_number as seen_before_day
    from handed as h
    left join star.dim_calendar as taken_day
        on h.calendar = taken_day.calendar and star.local_time(h.timezone, h.taken_at)::date = taken_day.date
    left join star.dim_calendar as before_day
        on
            h.calendar = before_day.calendar
            and star.local_time(h.timezone, h.seen_before_at)::date = before_day.date
)

-- What was first seen is taken to have been so since the order. Surely it was so from look to look; a gap with a
-- change in it, and the time before the first look, can have been anybody's.
select
    check_key,
    phase,
    is_end,
    row_number() over (partition by check_key order by event_seq desc nulls last) = 1 as is_last,
    if(row_number() over sequence = 1, ordered_at, taken_at) as starts_at,
    if(row_number() over sequence = 1, ordered_day, taken_day) as start_day,
    lead(taken_at, 1, ended_at) over sequence as ends_at,
    lead(taken_day, 1, ended_day) over sequence as end_day,
    taken_at as sure_from,
    taken_day as sure_from_day,
    if(
        lead(phase) over sequence = phase and not lead(is_end) over sequence,
        lead(taken_at) over sequence,
        lead(seen_before_at, 1, ended_at_earliest) over sequence
    ) as sure_until,
    if(
        lead(phase) over sequence = phase and not lead(is_end) over sequence,
        lead(taken_day) over sequence,
        lead(seen_before_day, 1, ended_day_earliest) over sequence
    ) as sure_until_day
from dated
window sequence as (partition by check_key order by event_seq asc nulls last)
