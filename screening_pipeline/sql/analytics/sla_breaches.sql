-- One row per check and promised turnaround that was not kept, by what was seen of it.
--
-- sla_target             star.dim_sla_target
-- check_key              the check
-- vendor                 vendor
-- account                account
-- subject                what kind of thing the vendor checks
-- check_id               the vendor's id, as text
-- package                what was ordered
-- clock                  vendor (only time in which the vendor had to act) or total
-- target_business_days   promised business days, null where hours are promised
-- target_hours           promised calendar hours, null where business days are promised
-- is_running             whether the clock still runs
-- is_certain             whether it was too late even at the earliest it can have been complete
-- elapsed_seconds        calendar seconds on that clock, so far where it runs
-- elapsed_business_days  business days on that clock, so far where it runs
-- overrun_seconds        calendar seconds beyond the promise, null where business days are promised
-- overrun_business_days  business days beyond the promise, null where hours are promised
-- @refresh view
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
    coalesce(not is_complete, false) as is_running,
    coalesce(not is_met, false) as is_certain,
    elapsed_seconds,
    elapsed_business_days,
    elapsed_seconds - target_hours * 3600 as overrun_seconds,
    elapsed_business_days - target_business_days as overrun_business_days
from analytics.sla_check
where
    not is_met
    or (
        is_met is null
        and coalesce(elapsed_seconds > target_hours * 3600, elapsed_business_days > target_business_days)
    )
