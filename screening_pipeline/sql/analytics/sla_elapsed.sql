-- One row per check and promised turnaround that holds for it: the time spent on the promise's clock.
--
-- sla_target            star.dim_sla_target; of a clock, the one that names the narrowest scope
-- check_key             the check
-- vendor                vendor
-- account               account
-- subject               what kind of thing the vendor checks
-- check_id              the vendor's id, as text
-- package               what was ordered
-- ordered_week          first day of the local week of ordering
-- clock                 vendor (only time in which the vendor had to act) or total
-- target_business_days  promised business days, null where hours are promised
-- target_hours          promised calendar hours, null where business days are promised
-- is_open               whether something is still expected of the check
-- outcome               complete, otherwise or open; null where it can have no turnaround
-- is_mature             whether it was ordered longer ago than was promised
-- spent_seconds         calendar seconds on that clock, so far where it runs
-- spent_seconds_least   the least it can have been
-- spent_seconds_most    the most it can have been
-- spent_days            business days on that clock, so far where it runs
-- spent_days_least      the least it can have been
-- spent_days_most       the most it can have been
-- @refresh view
with
ordered as (
    select
        vendor,
        account,
        package
    from star.fact_check
    group by vendor, account, package
),

-- By what was ordered where, of which there is little, and not for each of a million checks.
scope as (
    select
        f.vendor,
        f.account,
        f.package,
        t.sla_target,
        t.clock,
        t.target_business_days,
        t.target_hours
    from ordered as f
    inner join star.dim_sla_target as t
        on
            (t.vendor is null or f.vendor = t.vendor)
            and (t.account is null or f.account = t.account)
            and (t.package is null or f.package = t.package)
    qualify
        rank() over (
            partition by f.vendor, f.account, f.package, t.clock
            order by
                if(t.package is null, 0, 4) + if(t.account is null, 0, 2) + if(t.vendor is null, 0, 1) desc nulls last
        ) = 1
),

-- The vendor's time where a promise asks for it.
held as (
    select p.*
    from analytics.check_phase as p
    semi join scope as t on p.vendor = t.vendor and p.account = t.account and t.clock = 'vendor'
    where p.phase = 'vendor'
)

select
    t.sla_target,
    s.check_key,
    s.vendor,
    s.account,
    s.subject,
    s.check_id,
    s.package,
    date_trunc('week', s.ordered_on)::date as ordered_week,
    t.clock,
    t.target_business_days,
    t.target_hours,
    s.is_open,
    e.outcome,
    coalesce(
        date_sub('second', s.ordered_at, h.known_at) > t.target_hours * 3600,
        h.known_day - s.ordered_day > t.target_business_days
    ) as is_mature,
    if(t.clock = 'total', date_sub('second', s.ordered_at, s.ended_at), p.seconds) as spent_seconds,
    if(t.clock = 'total', e.seconds_earliest, p.seconds_least) as spent_seconds_least,
    if(t.clock = 'total', date_sub('second', s.ordered_at, s.ended_at), p.seconds_most) as spent_seconds_most,
    if(t.clock = 'total', s.ended_day - s.ordered_day, p.business_days) as spent_days,
    if(t.clock = 'total', e.business_days_earliest, p.business_days_least) as spent_days_least,
    if(t.clock = 'total', s.ended_day - s.ordered_day, p.business_days_most) as spent_days_most
from analytics.check_clock as s
inner join scope as t
    on s.vendor = t.vendor and s.account = t.account and s.package is not distinct from t.package
inner join analytics.account_horizon as h on s.vendor = h.vendor and s.account = h.account
left join star.fact_turnaround as e on s.check_key = e.check_key
left join held as p on s.check_key = p.check_key
