-- One row per group, unit and assumption: where its curve reaches each percentile, and where it ends.
--
-- grain           what the group is: vendor, package or month (a package's orders of one month)
-- vendor          vendor
-- package         what was ordered; null for a whole vendor, or where nobody says
-- month           first day of the local month of ordering, null for whole vendors and packages
-- unit            seconds (calendar) or business_days
-- assumption      earliest (each end came as early as it can have come), middle or latest
-- times           for 50, 75, 90 and 95 in 100, in this order: the time by which so many of those that complete have
-- lows            the lower ends of their 95 % intervals
-- highs           the upper ends of their 95 % intervals, null where nothing bounds them
-- soonest         the times if none of the checks followed longest and still open ever completed
-- last            the times if all of them completed, null where that is not known
-- n_ended         checks that were seen to end, one way or the other
-- incidence_last  share of all checks that are complete by the last time of the curve
-- unended_last    share of all checks that take longer than the last time of the curve
-- @refresh view
select
    grain,
    vendor,
    package,
    month,
    unit,
    assumption,
    star.times_reached(time, share) as times,
    star.times_reached(time, share_high) as lows,
    star.times_reached(time, share_low) as highs,
    star.times_reached(time, share_if_none_open) as soonest,
    star.times_reached(time, share_if_all_open) as last,
    sum(n_events + n_otherwise)::bigint as n_ended,
    any_value(incidence_last) as incidence_last,
    any_value(unended_last) as unended_last
from analytics.completion_curve
group by grain, vendor, package, month, unit, assumption
