-- One row per check being recomputed: on which local dates it began and ended, and which business days these are.
--
-- @refresh work
-- Once for all who ask: what has ended has its days for good, and a million joins with the calendar take their time.
with
dated as (
    select
        c.check_key,
        a.calendar,
        star.local_time(a.timezone, c.ordered_at)::date as ordered_on,
        star.local_time(a.timezone, coalesce(c.completed_at, c.closed_at))::date as ended_on,
        star.local_time(
            a.timezone,
            coalesce(c.completed_at_earliest, c.closed_at, greatest(c.last_observed_at, c.ordered_at))
        )::date as ended_on_earliest
    from current_check as c
    left join star.dim_account as a on c.vendor = a.vendor and c.account = a.account
)

select
    d.check_key,
    d.ordered_on,
    d.ended_on,
    order_day.business_day_number as ordered_day,
    end_day.business_day_number as ended_day,
    early_day.business_day_number as ended_day_earliest
from dated as d
left join star.dim_calendar as order_day on d.calendar = order_day.calendar and d.ordered_on = order_day.date
left join star.dim_calendar as end_day on d.calendar = end_day.calendar and d.ended_on = end_day.date
left join star.dim_calendar as early_day on d.calendar = early_day.calendar and d.ended_on_earliest = early_day.date
