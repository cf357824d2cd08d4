-- One row per promised turnaround and vendor it holds for: how often it is kept, of orders older than the promise.
--
-- sla_target            star.dim_sla_target
-- vendor                vendor
-- clock                 vendor (only time in which the vendor had to act) or total
-- target_business_days  promised business days, null where hours are promised
-- target_hours          promised calendar hours, null where business days are promised
-- n                     orders older than the promise that are judged
-- n_met                 of those, surely complete in time
-- n_breached            of those, surely not complete in time
-- n_breached_open       of those breached, still running
-- n_uncertain           of n, in time or not depending on what nobody saw
-- n_open                running checks younger than the promise
-- n_young               orders younger than the promise, which are not judged
-- n_excluded            checks that cannot be judged: ended otherwise in time, or without usable times
-- attainment            n_met as a share of those of which it is sure
-- attainment_at_worst   the share of n if all that nobody saw went against the promise
-- attainment_at_best    the share of n if all that nobody saw went for it
-- p50                   median calendar seconds on that clock, of complete checks
-- p75                   75th percentile of the same
-- p90                   90th percentile of the same
-- p95                   95th percentile of the same
-- p50_business_days     median business days on that clock, of complete checks
-- p75_business_days     75th percentile of the same
-- p90_business_days     90th percentile of the same
-- p95_business_days     95th percentile of the same
-- note                  what to know before using the row, null where there is nothing
-- @refresh view
with
figure as (
    select
        sla_target,
        vendor,
        clock,
        target_business_days,
        target_hours,
        count(is_met_at_best) filter (where is_mature) as n,
        count(*) filter (where is_met and is_mature) as n_met,
        count(*) filter (where not is_met) as n_breached,
        count(*) filter (where not is_met and not is_complete) as n_breached_open,
        count(*) filter (where is_met_at_worst is distinct from is_met_at_best and is_mature) as n_uncertain,
        count(*) filter (where elapsed_seconds is not null and not is_mature and not is_complete) as n_open,
        count(*) filter (where elapsed_seconds is not null and not is_mature) as n_young,
        count(*) filter (where elapsed_seconds is null) as n_excluded,
        quantile_cont(elapsed_seconds, [0.5, 0.75, 0.9, 0.95]) filter (where is_complete) as late,
        quantile_cont(elapsed_business_days, [0.5, 0.75, 0.9, 0.95]) filter (where is_complete) as late_days
    from analytics.sla_check
    group by sla_target, vendor, clock, target_business_days, target_hours
)

select
    sla_target,
    vendor,
    clock,
    target_business_days,
    target_hours,
    n,
    n_met,
    n_breached,
    n_breached_open,
    n_uncertain,
    n_open,
    n_young,
    n_excluded,
    n_met / nullif(n_met + n_breached, 0) as attainment,
    n_met / nullif(n, 0) as attainment_at_worst,
    (n_met + n_uncertain) / nullif(n, 0) as attainment_at_best,
    late[1] as p50,
    late[2] as p75,
    late[3] as p90,
    late[4] as p95,
    late_days[1] as p50_business_days,
    late_days[2] as p75_business_days,
    late_days[3] as p90_business_days,
    late_days[4] as p95_business_days,
    case
        when n = 0 and n_young > 0 then 'too young'
        when 2 * n_uncertain > n then concat(n_uncertain, ' of ', n, ' turn on what nobody saw')
    end as note
from figure
