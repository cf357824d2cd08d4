-- One row per group of checks: the median and 90 in 100 in days, and how far either can lie.
--
-- grain                 what the group is: vendor, package or month (a package's orders of one month)
-- vendor                vendor
-- package               what was ordered; null for a whole vendor, or where nobody says
-- month                 first day of the local month of ordering, null for whole vendors and packages
-- medians               seconds: the medians under each assumption, in order
-- p90s                  seconds: the same of 90 in 100
-- p50_least             days: the least the median is, whatever becomes of the checks followed longest
-- p90_least             the same of 90 in 100
-- p50_last              days: the most the median is where it is bounded
-- p90_last              the same of 90 in 100
-- is_p50_bounded        whether the median has an upper bound under each assumption
-- is_p90_bounded        the same of 90 in 100
-- ci_low                lower end of the median's 95 % interval, days
-- ci_high               upper end of it
-- ci_high_latest        upper end of it, each end as late as it can have come
-- median_business_days  the median in business days
-- incidence_last        share of all checks that are complete by the last time of the curve
-- unended_last          share of all checks that take longer than the last time of the curve
-- @refresh view
select
    grain,
    vendor,
    package,
    month,
    list(times[1] order by times[1] asc nulls last) filter (where unit = 'seconds') as medians,
    list(times[3] order by times[3] asc nulls last) filter (where unit = 'seconds') as p90s,
    min(soonest[1]) filter (where unit = 'seconds') / 86400 as p50_least,
    min(soonest[3]) filter (where unit = 'seconds') / 86400 as p90_least,
    max(last[1]) filter (where unit = 'seconds') / 86400 as p50_last,
    max(last[3]) filter (where unit = 'seconds') / 86400 as p90_last,
    count(last[1]) filter (where unit = 'seconds') = 3 as is_p50_bounded,
    count(last[3]) filter (where unit = 'seconds') = 3 as is_p90_bounded,
    any_value(lows[1]) filter (where unit = 'seconds' and assumption = 'middle') / 86400 as ci_low,
    any_value(highs[1]) filter (where unit = 'seconds' and assumption = 'middle') / 86400 as ci_high,
    any_value(highs[1]) filter (where unit = 'seconds' and assumption = 'latest') / 86400 as ci_high_latest,
    any_value(times[1]) filter (where unit = 'business_days') as median_business_days,
    any_value(incidence_last) filter (where unit = 'seconds' and assumption = 'middle') as incidence_last,
    any_value(unended_last) filter (where unit = 'seconds' and assumption = 'middle') as unended_last
from analytics.group_summary
where unit = 'seconds' or assumption = 'middle'
group by grain, vendor, package, month
