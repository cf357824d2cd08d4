-- One row per check and promised turnaround that holds for it: whether it was kept.
--
-- sla_target                   star.dim_sla_target; of a clock, the one that names the narrowest scope
-- check_key                    the check
-- vendor                       vendor
-- account                      account
-- subject                      what kind of thing the vendor checks
-- check_id                     the vendor's id, as text
-- package                      what was ordered
-- clock                        vendor (only time in which the vendor had to act) or total
-- target_business_days         promised business days, null where hours are promised
-- target_hours                 promised calendar hours, null where business days are promised
-- is_open                      whether something is still expected of the check
-- is_complete                  whether its clock has stopped; false while it runs, null where unknown
-- elapsed_seconds              calendar seconds on that clock, so far where it runs; null where it cannot be judged
-- elapsed_seconds_least        the least it can have been, given when changes were observed
-- elapsed_business_days        business days on that clock, so far where it runs; null where no calendar has them
-- elapsed_business_days_least  the least it can have been
-- is_met                       whether the promise was kept; null while it still can be, or where unknown
-- is_met_at_best               the same by the least time it can have been
-- @refresh view
with
scoped as (
    select
        c.*,
        t.sla_target,
        t.clock,
        t.target_business_days,
        t.target_hours,
        rank() over (
            partition by c.check_key, t.clock
            order by
                if(t.package is null, 0, 4) + if(t.account is null, 0, 2) + if(t.vendor is null, 0, 1) desc nulls last
        ) as precedence
    from analytics.check_clock as c
    inner join star.dim_sla_target as t
        on
            (t.vendor is null or c.vendor = t.vendor)
            and (t.account is null or c.account = t.account)
            and (t.package is null or c.package = t.package)
),

elapsed as (
    select
        s.*,
        s.observed_seconds is not null as is_measured,
        if(s.clock = 'total', s.observed_seconds, coalesce(p.seconds, 0)) as spent_seconds,
        if(
            s.clock = 'total', s.observed_seconds_earliest, coalesce(p.seconds_least, 0)
        ) as spent_seconds_least,
        if(s.clock = 'total', s.observed_business_days, if(p.check_key is null, 0, p.business_days)) as spent_days,
        if(
            s.clock = 'total', s.observed_business_days_earliest,
            if(p.check_key is null, 0, p.business_days_least)
        ) as spent_days_least
    from scoped as s
    left join analytics.check_phase as p on s.check_key = p.check_key and p.phase = 'vendor'
    where s.precedence = 1
),

compared as (
    select
        * replace (
            -- Days that no calendar has are no days: such a promise is neither kept nor broken.
            is_measured and (target_hours is not null or spent_days is not null) as is_measured
        ),
        coalesce(spent_seconds > target_hours * 3600, spent_days > target_business_days) as is_over,
        coalesce(
            spent_seconds_least > target_hours * 3600, spent_days_least > target_business_days
        ) as is_over_at_best
    from elapsed
)

select
    sla_target,
    check_key,
    vendor,
    account,
    subject,
    check_id,
    package,
    clock,
    target_business_days,
    target_hours,
    is_open,
    is_complete,
    if(is_measured, spent_seconds, null) as elapsed_seconds,
    if(is_measured, spent_seconds_least, null) as elapsed_seconds_least,
    if(is_measured, spent_days, null) as elapsed_business_days,
    if(is_measured, spent_days_least, null) as elapsed_business_days_least,
    case when is_measured and (is_complete or is_over) then not is_over end as is_met,
    case when is_measured and (is_complete or is_over_at_best) then not is_over_at_best end as is_met_at_best
from compared
