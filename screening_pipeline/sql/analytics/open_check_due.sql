-- One row per open check with a promise on its total time: until when it can be complete in time.
--
-- check_key   the check
-- sla_target  star.dim_sla_target; the one that names the narrowest scope
-- due_at      the instant from which on the promise is broken
-- @refresh view
with
promised as (
    select
        s.check_key,
        s.sla_target,
        s.target_hours,
        s.target_business_days,
        c.ordered_at,
        c.ordered_day,
        h.calendar,
        h.timezone
    from analytics.sla_check as s
    inner join analytics.check_clock as c on s.check_key = c.check_key
    inner join analytics.account_horizon as h on c.vendor = h.vendor and c.account = h.account
    where s.clock = 'total' and s.is_complete is false
)

select
    p.check_key,
    p.sla_target,
    coalesce(
        p.ordered_at + to_seconds(p.target_hours * 3600),
        timezone(p.timezone, min(d.date)::timestamp)
    ) as due_at
from promised as p
left join star.dim_calendar as d
    on
        p.calendar = d.calendar
        and p.target_hours is null
        and d.business_day_number > p.ordered_day + p.target_business_days
group by p.check_key, p.sla_target, p.ordered_at, p.target_hours, p.timezone
