-- One row per vendor, package and month of ordering: how long the checks ordered then take.
--
-- vendor                      vendor
-- package                     what was ordered, null where nobody says
-- month                       first day of the local month of ordering, null where nobody says when
-- n                           closed checks in the figures
-- n_open                      open checks: a young month is judged by its fast checks only
-- n_excluded                  closed checks without a usable turnaround
-- p50                         median calendar seconds to completion, as first observed or as its vendor says
-- p75                         75th percentile of the same
-- p90                         90th percentile of the same
-- p95                         95th percentile of the same
-- p50_earliest                median calendar seconds if each completion came as early as it can have come
-- p75_earliest                75th percentile of the same
-- p90_earliest                90th percentile of the same
-- p95_earliest                95th percentile of the same
-- p50_business_days           median business days
-- p75_business_days           75th percentile of the same
-- p90_business_days           90th percentile of the same
-- p95_business_days           95th percentile of the same
-- p50_business_days_earliest  median business days if each completion came as early as it can have come
-- p75_business_days_earliest  75th percentile of the same
-- p90_business_days_earliest  90th percentile of the same
-- p95_business_days_earliest  95th percentile of the same
-- @refresh view
with
figure as (
    select
        vendor,
        package,
        ordered_month as month,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as late,
        quantile_cont(seconds_earliest, [0.5, 0.75, 0.9, 0.95]) as early,
        quantile_cont(business_days, [0.5, 0.75, 0.9, 0.95]) as late_days,
        quantile_cont(business_days_earliest, [0.5, 0.75, 0.9, 0.95]) as early_days
    from analytics.check_clock
    group by vendor, package, ordered_month
)

select
    vendor,
    package,
    month,
    n,
    n_open,
    n_excluded,
    late[1] as p50,
    late[2] as p75,
    late[3] as p90,
    late[4] as p95,
    early[1] as p50_earliest,
    early[2] as p75_earliest,
    early[3] as p90_earliest,
    early[4] as p95_earliest,
    late_days[1] as p50_business_days,
    late_days[2] as p75_business_days,
    late_days[3] as p90_business_days,
    late_days[4] as p95_business_days,
    early_days[1] as p50_business_days_earliest,
    early_days[2] as p75_business_days_earliest,
    early_days[3] as p90_business_days_earliest,
    early_days[4] as p95_business_days_earliest
from figure
