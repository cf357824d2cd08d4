-- One row per check and party: for how long that party had to act on it, from ordered until its clock stopped.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- phase                candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- seconds              calendar seconds, each change of hands at its first observation or the vendor's time
-- seconds_least        the least it can have been: time between looks that showed the same party
-- seconds_most         the most it can have been: all time but what was surely another party's
-- business_days        business days, by running numbers, so that those of all phases add up; null before 2010
-- business_days_least  the least business days it can have been
-- business_days_most   the most business days it can have been
-- @refresh view
with
party as (
    select unnest(['candidate', 'client', 'client_or_candidate', 'vendor', 'unknown']) as phase
),

clock as (
    select
        c.*,
        h.calendar,
        h.timezone
    from analytics.check_clock as c
    inner join analytics.account_horizon as h on c.vendor = h.vendor and c.account = h.account
    where c.ended_at >= c.ordered_at
),

-- What happens after the screening is complete is no part of its turnaround.
done as (
    select
        check_key,
        min(event_seq) as event_seq
    from star.fact_check_event
    where lifecycle = 'completed' and not (result = 'referred' and occurred_at is null)
    group by check_key
),

-- The end of the screening is the last change of hands.
handed as (
    select
        c.*,
        e.event_seq,
        coalesce(e.event_seq = d.event_seq, false) as is_end,
        if(
            e.next_actor in ('candidate', 'client', 'client_or_candidate', 'vendor'), e.next_actor, 'unknown'
        ) as phase,
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
    from clock as c
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
),

-- What was first seen is taken to have been so since the order. Surely it was so from look to look; a gap with a
-- change in it, and the time before the first look, can have been anybody's.
stretch as (
    select
        check_key,
        phase,
        is_end,
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
),

held as (
    select
        check_key,
        phase,
        sum(epoch_us(ends_at) - epoch_us(starts_at)) as held_us,
        sum(greatest(0, epoch_us(sure_until) - epoch_us(sure_from))) as sure_us,
        -- Part of the days is no figure: null where a stretch begins or ends on a day that no calendar has.
        if(bool_or(end_day - start_day is null), null, sum(end_day - start_day)) as held_days,
        if(
            bool_or(sure_until_day - sure_from_day is null), null,
            sum(greatest(0, sure_until_day - sure_from_day))
        ) as sure_days
    from stretch
    where not is_end
    group by check_key, phase
),

-- Nobody knows whose the time of an unknown party was, and that of two may be either's.
pair as (
    select
        mine.phase,
        theirs.phase as held_by,
        mine.phase = theirs.phase
        or (mine.phase <> 'unknown' and theirs.phase = 'unknown')
        or (mine.phase in ('client', 'candidate') and theirs.phase = 'client_or_candidate') as may_be_mine
    from party as mine
    cross join party as theirs
),

-- Time surely another party's.
others as (
    select
        p.phase,
        h.check_key,
        sum(h.sure_us) filter (where not p.may_be_mine) as sure_us,
        if(
            bool_or(h.sure_days is null), null, coalesce(sum(h.sure_days) filter (where not p.may_be_mine), 0)
        ) as sure_days
    from held as h
    inner join pair as p on h.phase = p.held_by
    group by p.phase, h.check_key
)

select
    c.check_key,
    c.vendor,
    c.account,
    p.phase,
    -- Of whom nothing was seen before the end, nobody knows who had to act.
    (
        case
            when h.check_key is not null then h.held_us
            when o.check_key is null and p.phase = 'unknown' then epoch_us(c.ended_at) - epoch_us(c.ordered_at)
            else 0
        end // 1000000
    )::bigint as seconds,
    (coalesce(h.sure_us, 0) // 1000000)::bigint as seconds_least,
    ((epoch_us(c.ended_at) - epoch_us(c.ordered_at) - coalesce(o.sure_us, 0)) // 1000000)::bigint as seconds_most,
    case
        when h.check_key is not null then h.held_days
        when o.check_key is null and p.phase = 'unknown' then c.ended_day - c.ordered_day
        else 0
    end::bigint as business_days,
    if(h.check_key is null, 0, h.sure_days)::bigint as business_days_least,
    (c.ended_day - c.ordered_day - if(o.check_key is null, 0, o.sure_days))::bigint as business_days_most
from clock as c
cross join party as p
left join held as h on c.check_key = h.check_key and p.phase = h.phase
left join others as o on c.check_key = o.check_key and p.phase = o.phase
