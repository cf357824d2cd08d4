-- One row per group of checks (a vendor, a package, a package's month) and check that the group's figures rest on.
--
-- grain                   what the group is: vendor, package or month (a package's orders of one month)
-- vendor                  vendor
-- package                 what was ordered; null for a whole vendor, or where nobody says
-- month                   first day of the local month of ordering, null for whole vendors and packages
-- check_key               the check
-- outcome                 complete, otherwise (canceled, expired or declined) or open
-- is_observed             whether the vendor ever told how it stands
-- is_seen_open            whether it was ever seen before it ended
-- is_late                 whether it was first looked at more than a day after its order
-- is_dated                whether the vendor says when it was complete
-- seconds_entered         calendar seconds from ordered to the first look at it, null where there was none
-- seconds_earliest        calendar seconds to its end, the earliest that can have been; or to the last look
-- seconds_latest          the same, the latest that can have been
-- business_days_entered   business days from ordered to the first look, null where there was none
-- business_days_earliest  business days to its end, the earliest that can have been; or to the last look
-- business_days_latest    the same, the latest that can have been
-- @refresh view
with
counted as (
    select
        t.*,
        coalesce(t.seconds_entered > 86400, false) as is_late
    from star.fact_turnaround as t
    inner join star.dim_account as a on t.vendor = a.vendor and t.account = a.account
    where a.is_analyzed
),

grouped as (
    select
        'vendor' as grain,
        null::varchar as grouped_package,
        null::date as month,
        *
    from counted
    union all by name
    select
        'package' as grain,
        package as grouped_package,
        null::date as month,
        *
    from counted
    union all by name
    select
        'month' as grain,
        package as grouped_package,
        ordered_month as month,
        *
    from counted
)

select
    grain,
    vendor,
    grouped_package as package,
    month,
    check_key,
    outcome,
    is_observed,
    is_seen_open,
    is_late,
    is_dated,
    seconds_entered,
    seconds_earliest,
    seconds_latest,
    business_days_entered,
    business_days_earliest,
    business_days_latest
from grouped
