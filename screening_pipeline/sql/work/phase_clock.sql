-- One row per check being recomputed that has a turnaround: from when until when its clock ran, and on which days.
--
-- @refresh work
with
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
)

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
