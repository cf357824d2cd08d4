-- One row per open check with a promise on its total time: until when it can be complete in time.
--
-- check_key   the check
-- sla_target  star.dim_sla_target; the one that names the narrowest scope
-- due_at      the instant from which on the promise is broken
-- @refresh view
with
promised as (
    select
        f.check_key,
        f.ordered_at,
        f.ordered_day,
        a.calendar,
        a.timezone,
        t.sla_target,
        t.target_hours,
        t.target_business_days
    from star.fact_check as f
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    inner join star.dim_sla_target as t
        on
            (t.vendor is null or f.vendor = t.vendor)
            and (t.account is null or f.account = t.account)
            and (t.package is null or f.package = t.package)
    where
        a.is_analyzed and f.is_terminal is not true and f.completed_at is null and f.ordered_at is not null
        and not star.is_ongoing(f.subject) and t.clock = 'total'
    qualify
        rank() over (
            partition by f.check_key
            order by
                if(t.package is null, 0, 4) + if(t.account is null, 0, 2) + if(t.vendor is null, 0, 1) desc nulls last
        ) = 1
),

-- The first day on which more business days have gone by than were promised.
over as (
    select
        calendar,
        business_day_number,
        min(date) as date
    from star.dim_calendar
    group by calendar, business_day_number
)

select
    p.check_key,
    p.sla_target,
    coalesce(
        p.ordered_at + to_seconds(p.target_hours * 3600), star.instant_of(p.timezone, o.date::timestamp)
    ) as due_at
from promised as p
left join over as o
    on
        p.calendar = o.calendar
        and floor(p.ordered_day + p.target_business_days) + 1 = o.business_day_number
