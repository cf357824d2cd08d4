-- How many checks that were open thirty days before the page's time had by then taken longer than was promised.
with
moment as (
    select max(latest_at) - to_days(30) as then_at
    from analytics.account_horizon
),

open_then as (
    select
        c.check_key,
        c.ordered_at,
        c.ordered_day,
        h.calendar,
        h.timezone,
        m.then_at,
        d.business_day_number as then_day
    from analytics.check_clock as c
    inner join moment as m on c.ordered_at <= m.then_at
    inner join analytics.account_horizon as h on c.vendor = h.vendor and c.account = h.account
    left join star.dim_calendar as d
        on h.calendar = d.calendar and star.local_time(h.timezone, m.then_at)::date = d.date
    where c.ended_at > m.then_at or (c.is_open and c.is_complete is not true)
),

-- Whoever was seen first is taken to have had to act since the order, as in star.fact_check_phase.
handed as (
    select
        o.*,
        star.phase_of(e.next_actor) as phase,
        if(
            row_number() over sequence = 1, o.ordered_at,
            greatest(o.ordered_at, coalesce(e.occurred_at, e.observed_at))
        ) as starts_at,
        lead(greatest(o.ordered_at, coalesce(e.occurred_at, e.observed_at)), 1, o.then_at) over sequence as ends_at
    from open_then as o
    inner join star.fact_check_event as e on o.check_key = e.check_key
    where coalesce(e.occurred_at, e.observed_at) <= o.then_at
    window sequence as (partition by o.check_key order by e.event_seq asc nulls last)
),

by_vendor as (
    select
        h.check_key,
        sum(date_sub('second', h.starts_at, h.ends_at)) as seconds,
        sum(end_day.business_day_number - start_day.business_day_number) as business_days
    from handed as h
    left join star.dim_calendar as start_day
        on h.calendar = start_day.calendar and star.local_time(h.timezone, h.starts_at)::date = start_day.date
    left join star.dim_calendar as end_day
        on h.calendar = end_day.calendar and star.local_time(h.timezone, h.ends_at)::date = end_day.date
    where h.phase = 'vendor'
    group by h.check_key
)

select count(distinct o.check_key) as broken
from open_then as o
inner join analytics.sla_check as p on o.check_key = p.check_key
left join by_vendor as v on o.check_key = v.check_key
where
    if(p.clock = 'total', date_sub('second', o.ordered_at, o.then_at), v.seconds) > p.target_hours * 3600
    or if(p.clock = 'total', o.then_day - o.ordered_day, v.business_days) > p.target_business_days
