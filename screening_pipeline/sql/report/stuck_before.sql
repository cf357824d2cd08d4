-- How many open checks had been in their state for too long thirty days before the page's time, by what was known then.
with
moment as (
    select max(latest_at) - to_days(30) as then_at
    from analytics.account_horizon
),

-- Nobody had seen some of those that were ordered: these are in an unknown state since their order.
open_then as (
    select
        f.vendor,
        coalesce(s.lifecycle, 'unknown') as lifecycle,
        coalesce(s.observed_at, f.ordered_at) as held_since,
        h.calendar,
        h.timezone,
        m.then_at
    from star.fact_check as f
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    cross join moment as m
    left join star.check_as_of((select then_at from moment)) as s on f.check_key = s.check_key
    where
        not star.is_ongoing(f.subject)
        and s.is_terminal is not true
        and coalesce(s.observed_at, f.ordered_at) <= m.then_at
)

select
    count(*) as open,
    count(*) filter (
        where date_sub('second', o.held_since, o.then_at) > t.days * 86400
        or then_day.business_day_number - held_day.business_day_number > t.business_days
    ) as stuck
from open_then as o
left join analytics.stale_after as t on o.vendor = t.vendor and o.lifecycle = t.lifecycle
left join star.dim_calendar as then_day
    on o.calendar = then_day.calendar and star.local_time(o.timezone, o.then_at)::date = then_day.date
left join star.dim_calendar as held_day
    on o.calendar = held_day.calendar and star.local_time(o.timezone, o.held_since)::date = held_day.date
