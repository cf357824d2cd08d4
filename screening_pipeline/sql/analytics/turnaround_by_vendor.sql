-- One row per vendor: how long its checks take, from ordered to complete, in many columns.
--
-- vendor                               vendor
-- n                                    closed checks that are complete and have an order time
-- n_open                               open checks
-- n_excluded                           closed checks that ended otherwise, or whose order time is missing or wrong
-- p50                                  calendar seconds for half of those that complete, each end as late as can be
-- p75                                  the same for 75 in 100 of them
-- p90                                  the same for 90 in 100 of them
-- p95                                  the same for 95 in 100 of them
-- p50_earliest                         the same, each end as early as can be
-- p75_earliest                         the same for 75 in 100 of them
-- p90_earliest                         the same for 90 in 100 of them
-- p95_earliest                         the same for 95 in 100 of them
-- p50_business_days                    business days by which half of the checks that complete have
-- p75_business_days                    the same for 75 in 100 of them
-- p90_business_days                    the same for 90 in 100 of them
-- p95_business_days                    the same for 95 in 100 of them
-- p50_business_days_earliest           the same, each end as early as can be
-- p75_business_days_earliest           the same for 75 in 100 of them
-- p90_business_days_earliest           the same for 90 in 100 of them
-- p95_business_days_earliest           the same for 95 in 100 of them
-- p50_survival                         the same as p50: open checks are counted in both
-- p75_survival                         the same for 75 in 100 of them
-- p90_survival                         the same for 90 in 100 of them
-- p95_survival                         the same for 95 in 100 of them
-- p50_survival_middle                  the same as p50, each end in the middle of its bounds
-- p75_survival_middle                  the same for 75 in 100 of them
-- p90_survival_middle                  the same for 90 in 100 of them
-- p95_survival_middle                  the same for 95 in 100 of them
-- p50_survival_earliest                the same as p50_earliest
-- p75_survival_earliest                the same for 75 in 100 of them
-- p90_survival_earliest                the same for 90 in 100 of them
-- p95_survival_earliest                the same for 95 in 100 of them
-- p50_survival_business_days           the same as p50_business_days
-- p75_survival_business_days           the same for 75 in 100 of them
-- p90_survival_business_days           the same for 90 in 100 of them
-- p95_survival_business_days           the same for 95 in 100 of them
-- p50_survival_middle_business_days    the same in business days
-- p75_survival_middle_business_days    the same for 75 in 100 of them
-- p90_survival_middle_business_days    the same for 90 in 100 of them
-- p95_survival_middle_business_days    the same for 95 in 100 of them
-- p50_survival_earliest_business_days  the same as p50_business_days_earliest
-- p75_survival_earliest_business_days  the same for 75 in 100 of them
-- p90_survival_earliest_business_days  the same for 90 in 100 of them
-- p95_survival_earliest_business_days  the same for 95 in 100 of them
-- @refresh view
with
counted as (
    select
        c.vendor,
        count(*) filter (where c.is_counted) as n,
        count(*) filter (where c.is_open) as n_open,
        count(*) filter (where not c.is_open and not c.is_counted) as n_excluded
    from analytics.check_count as c
    group by c.vendor
),

percentile as (
    select
        vendor,
        list(value order by percentile asc nulls last) filter (where unit = 'seconds' and assumption = 'latest')
            as latest_seconds,
        list(value order by percentile asc nulls last) filter (where unit = 'seconds' and assumption = 'earliest')
            as earliest_seconds,
        list(value order by percentile asc nulls last) filter (where unit = 'business_days' and assumption = 'latest')
            as latest_days,
        list(value order by percentile asc nulls last) filter (where unit = 'business_days' and assumption = 'earliest')
            as earliest_days,
        list(value order by percentile asc nulls last) filter (where unit = 'seconds' and assumption = 'middle')
            as middle_seconds,
        list(value order by percentile asc nulls last) filter (where unit = 'business_days' and assumption = 'middle')
            as middle_days
    from analytics.group_percentile
    where grain = 'vendor'
    group by vendor
)

select
    c.vendor,
    c.n,
    c.n_open,
    c.n_excluded,
    p.latest_seconds[1] as p50,
    p.latest_seconds[2] as p75,
    p.latest_seconds[3] as p90,
    p.latest_seconds[4] as p95,
    p.earliest_seconds[1] as p50_earliest,
    p.earliest_seconds[2] as p75_earliest,
    p.earliest_seconds[3] as p90_earliest,
    p.earliest_seconds[4] as p95_earliest,
    p.latest_days[1] as p50_business_days,
    p.latest_days[2] as p75_business_days,
    p.latest_days[3] as p90_business_days,
    p.latest_days[4] as p95_business_days,
    p.earliest_days[1] as p50_business_days_earliest,
    p.earliest_days[2] as p75_business_days_earliest,
    p.earliest_days[3] as p90_business_days_earliest,
    p.earliest_days[4] as p95_business_days_earliest,
    p.latest_seconds[1] as p50_survival,
    p.latest_seconds[2] as p75_survival,
    p.latest_seconds[3] as p90_survival,
    p.latest_seconds[4] as p95_survival,
    p.middle_seconds[1] as p50_survival_middle,
    p.middle_seconds[2] as p75_survival_middle,
    p.middle_seconds[3] as p90_survival_middle,
    p.middle_seconds[4] as p95_survival_middle,
    p.earliest_seconds[1] as p50_survival_earliest,
    p.earliest_seconds[2] as p75_survival_earliest,
    p.earliest_seconds[3] as p90_survival_earliest,
    p.earliest_seconds[4] as p95_survival_earliest,
    p.latest_days[1] as p50_survival_business_days,
    p.latest_days[2] as p75_survival_business_days,
    p.latest_days[3] as p90_survival_business_days,
    p.latest_days[4] as p95_survival_business_days,
    p.middle_days[1] as p50_survival_middle_business_days,
    p.middle_days[2] as p75_survival_middle_business_days,
    p.middle_days[3] as p90_survival_middle_business_days,
    p.middle_days[4] as p95_survival_middle_business_days,
    p.earliest_days[1] as p50_survival_earliest_business_days,
    p.earliest_days[2] as p75_survival_earliest_business_days,
    p.earliest_days[3] as p90_survival_earliest_business_days,
    p.earliest_days[4] as p95_survival_earliest_business_days
from counted as c
left join percentile as p on c.vendor = p.vendor
