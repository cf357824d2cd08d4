-- One row per check and party: for how long that party had to act on it, from ordered until it ended or was last seen.
--
-- check_key   the check
-- vendor      vendor
-- account     account
-- phase       candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- is_running  whether it had neither completed nor ended otherwise when it was last seen
-- is_holding  whether that party had to act when it was last seen
-- until_at    when it ended, or was last seen
-- until_day   running number of that business day
-- held_us     microseconds, each change of hands at its first observation or the vendor's time
-- least_us    the least it can have been: time between looks that showed the same party
-- most_us     the most it can have been: all time but what was surely another party's
-- held_days   business days, by running numbers, so that those of all phases add up; null before 2010
-- least_days  the least business days it can have been
-- most_days   the most business days it can have been
-- @refresh check_key
with
party as (
    select unnest(['candidate', 'client', 'client_or_candidate', 'vendor', 'unknown']) as phase
),

placed as (
    select
        f.check_key,
        f.vendor,
        f.account,
        f.ordered_at,
        a.calendar,
        a.timezone,
        f.completed_at is null and f.closed_at is null as is_running,
        coalesce(f.completed_at, f.closed_at, greatest(f.last_observed_at, f.ordered_at)) as ended_at,
        coalesce(f.completed_at_earliest, f.closed_at, greatest(f.last_observed_at, f.ordered_at))
            as ended_at_earliest
    from star.fact_check as f
    semi join concerned as n on f.check_key = n.check_key
    left join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    where not star.is_ongoing(f.subject) and f.ordered_at is not null
),

clock as (
    select
        p.*,
        order_day.business_day_number as ordered_day,
        end_day.business_day_number as ended_day,
        early_day.business_day_number as ended_day_earliest
    from placed as p
    left join star.dim_calendar as order_day
        on p.calendar = order_day.calendar and star.local_time(p.timezone, p.ordered_at)::date = order_day.date
    left join star.dim_calendar as end_day
        on p.calendar = end_day.calendar and star.local_time(p.timezone, p.ended_at)::date = end_day.date
    left join star.dim_calendar as early_day
        on
            p.calendar = early_day.calendar
            and star.local_time(p.timezone, p.ended_at_earliest)::date = early_day.date
    where p.ended_at >= p.ordered_at
),

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
),

held as (
    select
        check_key,
        phase,
        bool_or(is_last) as is_holding,
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
    c.is_running,
    if(o.check_key is null, p.phase = 'unknown', coalesce(h.is_holding, false)) as is_holding,
    c.ended_at as until_at,
    c.ended_day as until_day,
    -- Of whom nothing was seen before the end, nobody knows who had to act.
    case
        when h.check_key is not null then h.held_us
        when o.check_key is null and p.phase = 'unknown' then epoch_us(c.ended_at) - epoch_us(c.ordered_at)
        else 0
    end::bigint as held_us,
    coalesce(h.sure_us, 0)::bigint as least_us,
    (epoch_us(c.ended_at) - epoch_us(c.ordered_at) - coalesce(o.sure_us, 0))::bigint as most_us,
    case
        when h.check_key is not null then h.held_days
        when o.check_key is null and p.phase = 'unknown' then c.ended_day - c.ordered_day
        else 0
    end::bigint as held_days,
    if(h.check_key is null, 0, h.sure_days)::bigint as least_days,
    (c.ended_day - c.ordered_day - if(o.check_key is null, 0, o.sure_days))::bigint as most_days
from clock as c
cross join party as p
left join held as h on c.check_key = h.check_key and p.phase = h.phase
left join others as o on c.check_key = o.check_key and p.phase = o.phase
