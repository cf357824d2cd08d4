-- One row per check and party that had to act on it: for how long, from ordered until its clock stopped.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- phase                candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- seconds              calendar seconds, each change of hands at its first observation or the vendor's time
-- seconds_least        the least it can have been, given when the changes were observed
-- seconds_most         the most it can have been
-- business_days        business days, by running numbers, so that those of all phases add up; null before 2010
-- business_days_least  the least business days it can have been
-- business_days_most   the most business days it can have been
-- @refresh view
with
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

handed as (
    select
        c.*,
        e.event_seq,
        e.next_actor,
        -- Vendors' times may lie before the order or run backwards; the clock does neither.
        max(greatest(
            c.ordered_at,
            least(c.ended_at, coalesce(e.occurred_at, e.observed_at))
        )) over sequence as taken_at,
        max(greatest(
            c.ordered_at,
            least(c.ended_at, coalesce(e.occurred_at, e.observed_at_earliest, c.ordered_at))
        )) over sequence as taken_at_earliest
    from clock as c
    inner join star.fact_check_event as e on c.check_key = e.check_key
    left join done as d on c.check_key = d.check_key
    where e.event_seq < d.event_seq or d.event_seq is null
    window sequence as (partition by c.check_key order by e.event_seq asc nulls last rows unbounded preceding)
),

dated as (
    select
        h.*,
        taken_day.business_day_number as taken_day,
        early_day.business_day_number as taken_day_earliest
    from handed as h
    left join star.dim_calendar as taken_day
        on h.calendar = taken_day.calendar and star.local_time(h.timezone, h.taken_at)::date = taken_day.date
    left join star.dim_calendar as early_day
        on
            h.calendar = early_day.calendar
            and star.local_time(h.timezone, h.taken_at_earliest)::date = early_day.date
),

stretch as (
    select
        check_key,
        vendor,
        account,
        next_actor,
        taken_at as seen_at,
        taken_day as seen_day,
        -- What was first seen is taken to have been so since the order.
        if(row_number() over sequence = 1, ordered_at, taken_at) as starts_at,
        if(row_number() over sequence = 1, ordered_day, taken_day) as start_day,
        if(row_number() over sequence = 1, ordered_at, taken_at_earliest) as starts_at_earliest,
        if(row_number() over sequence = 1, ordered_day, taken_day_earliest) as start_day_earliest,
        lead(taken_at, 1, ended_at) over sequence as ends_at,
        lead(taken_day, 1, ended_day) over sequence as end_day,
        lead(taken_at_earliest, 1, ended_at_earliest) over sequence as ends_at_earliest,
        lead(taken_day_earliest, 1, ended_day_earliest) over sequence as end_day_earliest
    from dated
    window sequence as (partition by check_key order by event_seq asc nulls last)
    union all by name
    select
        check_key,
        vendor,
        account,
        'unknown' as next_actor,
        ordered_at as seen_at,
        ordered_day as seen_day,
        ordered_at as starts_at,
        ordered_day as start_day,
        ordered_at as starts_at_earliest,
        ordered_day as start_day_earliest,
        ended_at as ends_at,
        ended_day as end_day,
        ended_at_earliest as ends_at_earliest,
        ended_day_earliest as end_day_earliest
    from clock
    where check_key not in (select h.check_key from handed as h)
)

select
    check_key,
    vendor,
    account,
    if(
        next_actor in ('candidate', 'client', 'client_or_candidate', 'vendor'), next_actor, 'unknown'
    ) as phase,
    -- Fractions of seconds are summed before they are dropped.
    (sum(epoch_us(ends_at) - epoch_us(starts_at)) // 1000000)::bigint as seconds,
    (sum(greatest(0, epoch_us(ends_at_earliest) - epoch_us(seen_at))) // 1000000)::bigint as seconds_least,
    (sum(epoch_us(ends_at) - epoch_us(starts_at_earliest)) // 1000000)::bigint as seconds_most,
    -- Part of the days is no figure: null where a stretch begins or ends on a day that no calendar has.
    if(bool_or(end_day - start_day is null), null, sum(end_day - start_day)::bigint) as business_days,
    if(
        bool_or(end_day_earliest - seen_day is null), null,
        sum(greatest(0, end_day_earliest - seen_day))::bigint
    ) as business_days_least,
    if(bool_or(end_day - start_day_earliest is null), null, sum(end_day - start_day_earliest)::bigint)
        as business_days_most
from stretch
group by all
