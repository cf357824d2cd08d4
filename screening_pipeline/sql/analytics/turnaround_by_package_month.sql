-- One row per vendor, package and month of ordering: how long the checks ordered then take.
--
-- vendor                      vendor
-- package                     what was ordered, null where nobody says
-- month                       first day of the local month of ordering, null where nobody says when
-- n                           closed checks that are complete and have an order time
-- n_open                      open checks
-- n_excluded                  closed checks that ended otherwise, or whose order time is missing or wrong
-- p50                         calendar seconds for half of the checks that complete, each end as late as can be
-- p75                         the same for 75 in 100 of them
-- p90                         the same for 90 in 100 of them
-- p95                         the same for 95 in 100 of them
-- p50_earliest                the same, each end as early as can be
-- p75_earliest                the same for 75 in 100 of them
-- p90_earliest                the same for 90 in 100 of them
-- p95_earliest                the same for 95 in 100 of them
-- p50_business_days           business days by which half of the checks that complete have
-- p75_business_days           the same for 75 in 100 of them
-- p90_business_days           the same for 90 in 100 of them
-- p95_business_days           the same for 95 in 100 of them
-- p50_business_days_earliest  the same, each end as early as can be
-- p75_business_days_earliest  the same for 75 in 100 of them
-- p90_business_days_earliest  the same for 90 in 100 of them
-- p95_business_days_earliest  the same for 95 in 100 of them
-- @refresh view
with
counted as (
    select
        c.vendor,
        c.package,
        c.ordered_month as month,
        count(*) filter (where c.is_counted) as n,
        count(*) filter (where c.is_open) as n_open,
        count(*) filter (where not c.is_open and not c.is_counted) as n_excluded
    from analytics.check_count as c
    group by c.vendor, c.package, c.ordered_month
),

percentile as (
    select
        vendor,
        package,
        month,
        list(value order by percentile asc nulls last) filter (where unit = 'seconds' and assumption = 'latest')
            as latest_seconds,
        list(value order by percentile asc nulls last) filter (where unit = 'seconds' and assumption = 'earliest')
            as earliest_seconds,
        list(value order by percentile asc nulls last) filter (where unit = 'business_days' and assumption = 'latest')
            as latest_days,
        list(value order by percentile asc nulls last) filter (where unit = 'business_days' and assumption = 'earliest')
            as earliest_days
    from analytics.group_percentile
    where grain = 'month'
    group by vendor, package, month
)

select
    c.vendor,
    c.package,
    c.month,
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
    p.earliest_days[4] as p95_business_days_earliest
from counted as c
left join percentile as p
    on
        c.vendor = p.vendor and c.package is not distinct from p.package
        and c.month is not distinct from p.month
