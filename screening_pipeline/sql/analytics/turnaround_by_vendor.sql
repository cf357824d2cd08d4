-- One row per vendor: how long its checks take from ordered to complete.
--
-- vendor                               vendor
-- n                                    closed checks in the figures
-- n_open                               open checks
-- n_excluded                           closed checks without a usable turnaround
-- p50                                  median calendar seconds to completion, as first seen or as its vendor says
-- p75                                  75th percentile of the same
-- p90                                  90th percentile of the same
-- p95                                  95th percentile of the same
-- p50_earliest                         median calendar seconds if each completion came as early as it can have come
-- p75_earliest                         75th percentile of the same
-- p90_earliest                         90th percentile of the same
-- p95_earliest                         95th percentile of the same
-- p50_business_days                    median business days
-- p75_business_days                    75th percentile of the same
-- p90_business_days                    90th percentile of the same
-- p95_business_days                    95th percentile of the same
-- p50_business_days_earliest           median business days if each completion came as early as it can have come
-- p75_business_days_earliest           75th percentile of the same
-- p90_business_days_earliest           90th percentile of the same
-- p95_business_days_earliest           95th percentile of the same
-- p50_survival                         calendar seconds by which half of all checks are complete, open ones counted
-- p75_survival                         the same for 75 in 100 checks
-- p90_survival                         the same for 90 in 100 checks
-- p95_survival                         the same for 95 in 100 checks
-- p50_survival_middle                  the same, each completion in the middle of its bounds
-- p75_survival_middle                  the same for 75 in 100 checks, each completion in the middle of its bounds
-- p90_survival_middle                  the same for 90 in 100 checks, each completion in the middle of its bounds
-- p95_survival_middle                  the same for 95 in 100 checks, each completion in the middle of its bounds
-- p50_survival_earliest                the same, each completion as early as it can be
-- p75_survival_earliest                the same for 75 in 100 checks, each completion as early as it can be
-- p90_survival_earliest                the same for 90 in 100 checks, each completion as early as it can be
-- p95_survival_earliest                the same for 95 in 100 checks, each completion as early as it can be
-- p50_survival_business_days           business days by which half of all checks are complete, open ones counted
-- p75_survival_business_days           the same for 75 in 100 checks
-- p90_survival_business_days           the same for 90 in 100 checks
-- p95_survival_business_days           the same for 95 in 100 checks
-- p50_survival_middle_business_days    the same, each completion in the middle of its bounds
-- p75_survival_middle_business_days    the same for 75 in 100 checks, each completion in the middle of its bounds
-- p90_survival_middle_business_days    the same for 90 in 100 checks, each completion in the middle of its bounds
-- p95_survival_middle_business_days    the same for 95 in 100 checks, each completion in the middle of its bounds
-- p50_survival_earliest_business_days  the same, each completion as early as it can be
-- p75_survival_earliest_business_days  the same for 75 in 100 checks, each completion as early as it can be
-- p90_survival_earliest_business_days  the same for 90 in 100 checks, each completion as early as it can be
-- p95_survival_earliest_business_days  the same for 95 in 100 checks, each completion as early as it can be
-- @refresh view
with
figure as (
    select
        vendor,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as late,
        quantile_cont(seconds_earliest, [0.5, 0.75, 0.9, 0.95]) as early,
        quantile_cont(business_days, [0.5, 0.75, 0.9, 0.95]) as late_days,
        quantile_cont(business_days_earliest, [0.5, 0.75, 0.9, 0.95]) as early_days
    from analytics.check_clock
    group by vendor
),

-- A product of fractions meets its share but for rounding.
reached as (
    select
        vendor,
        unit,
        assumption,
        [
            min(time) filter (where survival <= 0.5 + 1e-9),
            min(time) filter (where survival <= 0.25 + 1e-9),
            min(time) filter (where survival <= 0.1 + 1e-9),
            min(time) filter (where survival <= 0.05 + 1e-9)
        ] as times
    from analytics.survival_curve
    group by vendor, unit, assumption
),

counted as (
    select
        vendor,
        any_value(times) filter (where unit = 'seconds' and assumption = 'latest') as late,
        any_value(times) filter (where unit = 'seconds' and assumption = 'middle') as middle,
        any_value(times) filter (where unit = 'seconds' and assumption = 'earliest') as early,
        any_value(times) filter (where unit = 'business_days' and assumption = 'latest') as late_days,
        any_value(times) filter (where unit = 'business_days' and assumption = 'middle') as middle_days,
        any_value(times) filter (where unit = 'business_days' and assumption = 'earliest') as early_days
    from reached
    group by vendor
)

select
    f.vendor,
    f.n,
    f.n_open,
    f.n_excluded,
    f.late[1] as p50,
    f.late[2] as p75,
    f.late[3] as p90,
    f.late[4] as p95,
    f.early[1] as p50_earliest,
    f.early[2] as p75_earliest,
    f.early[3] as p90_earliest,
    f.early[4] as p95_earliest,
    f.late_days[1] as p50_business_days,
    f.late_days[2] as p75_business_days,
    f.late_days[3] as p90_business_days,
    f.late_days[4] as p95_business_days,
    f.early_days[1] as p50_business_days_earliest,
    f.early_days[2] as p75_business_days_earliest,
    f.early_days[3] as p90_business_days_earliest,
    f.early_days[4] as p95_business_days_earliest,
    c.late[1] as p50_survival,
    c.late[2] as p75_survival,
    c.late[3] as p90_survival,
    c.late[4] as p95_survival,
    c.middle[1] as p50_survival_middle,
    c.middle[2] as p75_survival_middle,
    c.middle[3] as p90_survival_middle,
    c.middle[4] as p95_survival_middle,
    c.early[1] as p50_survival_earliest,
    c.early[2] as p75_survival_earliest,
    c.early[3] as p90_survival_earliest,
    c.early[4] as p95_survival_earliest,
    c.late_days[1] as p50_survival_business_days,
    c.late_days[2] as p75_survival_business_days,
    c.late_days[3] as p90_survival_business_days,
    c.late_days[4] as p95_survival_business_days,
    c.middle_days[1] as p50_survival_middle_business_days,
    c.middle_days[2] as p75_survival_middle_business_days,
    c.middle_days[3] as p90_survival_middle_business_days,
    c.middle_days[4] as p95_survival_middle_business_days,
    c.early_days[1] as p50_survival_earliest_business_days,
    c.early_days[2] as p75_survival_earliest_business_days,
    c.early_days[3] as p90_survival_earliest_business_days,
    c.early_days[4] as p95_survival_earliest_business_days
from figure as f
left join counted as c on f.vendor = c.vendor
