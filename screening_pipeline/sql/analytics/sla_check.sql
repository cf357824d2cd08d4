-- One row per check and promised turnaround that holds for it: whether it was kept.
--
-- sla_target                   star.dim_sla_target; of a clock, the one that names the narrowest scope
-- check_key                    the check
-- vendor                       vendor
-- account                      account
-- subject                      what kind of thing the vendor checks
-- check_id                     the vendor's id, as text
-- package                      what was ordered
-- ordered_week                 first day of the local week of ordering
-- clock                        vendor (only time in which the vendor had to act) or total
-- target_business_days         promised business days, null where hours are promised
-- target_hours                 promised calendar hours, null where business days are promised
-- is_open                      whether something is still expected of the check
-- is_complete                  whether its clock has stopped; false while it runs, null where it ended otherwise
-- is_mature                    whether it was ordered longer ago than was promised
-- elapsed_seconds              calendar seconds on that clock, so far where it runs; null where it cannot be judged
-- elapsed_seconds_least        the least it can have been, given when changes were observed
-- elapsed_seconds_most         the most it can have been: time that nobody saw may have been the vendor's
-- elapsed_business_days        business days on that clock, so far where it runs; null where no calendar has them
-- elapsed_business_days_least  the least it can have been
-- elapsed_business_days_most   the most it can have been
-- is_met                       whether the promise was surely kept, or surely broken; null where either can be
-- is_met_at_worst              the same if all that nobody saw went against it; null while it runs and is younger
-- is_met_at_best               the same if all that nobody saw went for it; null while it runs and is younger
-- @refresh view
with
-- Days that no calendar has are no days: such a promise is neither kept nor broken.
compared as (
    select
        *,
        outcome is not null and spent_seconds_most is not null
        and (target_hours is not null or spent_days_most is not null) as is_measured,
        coalesce(spent_seconds_least > target_hours * 3600, spent_days_least > target_business_days) as is_surely_over,
        coalesce(spent_seconds_most > target_hours * 3600, spent_days_most > target_business_days) as is_perhaps_over
    from analytics.sla_elapsed
),

-- Whoever was open beyond the promise broke it, even if the check was canceled or expired later; of one that ended
-- otherwise before that, nobody knows. An open one can be complete since its last look, and can still be late.
judged as (
    select
        *,
        is_measured and (outcome <> 'otherwise' or is_surely_over) as is_judged,
        case
            when is_surely_over then false
            when outcome = 'complete' then not is_perhaps_over
            when is_mature and outcome = 'open' then false
        end as is_kept_at_worst,
        case
            when is_surely_over then false
            when outcome = 'complete' or (is_mature and outcome = 'open') then true
        end as is_kept_at_best
    from compared
)

select
    sla_target,
    check_key,
    vendor,
    account,
    subject,
    check_id,
    package,
    ordered_week,
    clock,
    target_business_days,
    target_hours,
    is_open,
    case outcome when 'complete' then true when 'open' then false end as is_complete,
    coalesce(is_mature, false) as is_mature,
    if(is_judged, spent_seconds, null) as elapsed_seconds,
    if(is_judged, spent_seconds_least, null) as elapsed_seconds_least,
    if(is_judged, spent_seconds_most, null) as elapsed_seconds_most,
    if(is_judged, spent_days, null) as elapsed_business_days,
    if(is_judged, spent_days_least, null) as elapsed_business_days_least,
    if(is_judged, spent_days_most, null) as elapsed_business_days_most,
    if(is_judged and is_kept_at_worst = is_kept_at_best, is_kept_at_best, null) as is_met,
    if(is_judged, is_kept_at_worst, null) as is_met_at_worst,
    if(is_judged, is_kept_at_best, null) as is_met_at_best
from judged
