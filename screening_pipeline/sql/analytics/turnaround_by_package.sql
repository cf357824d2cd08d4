-- One row per vendor and package: how long its checks take.
--
-- vendor        vendor
-- package       what was ordered, null where nobody says
-- n             closed checks in the figures
-- n_open        open checks
-- n_excluded    closed checks without a usable turnaround
-- p50           median calendar seconds to completion, as first observed or as its vendor says
-- p75           75th percentile of the same
-- p90           90th percentile of the same
-- p95           95th percentile of the same
-- p50_earliest  median calendar seconds if each completion came as early as it can have come
-- @refresh view
with
figure as (
    select
        vendor,
        package,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as late,
        quantile_cont(seconds_earliest, 0.5) as p50_earliest
    from analytics.check_clock
    group by vendor, package
)

select
    vendor,
    package,
    n,
    n_open,
    n_excluded,
    late[1] as p50,
    late[2] as p75,
    late[3] as p90,
    late[4] as p95,
    p50_earliest
from figure
