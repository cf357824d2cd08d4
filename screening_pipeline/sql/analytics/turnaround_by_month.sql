-- One row per vendor, package and month of ordering: how long the checks ordered then take, in days.
--
-- vendor                vendor
-- package               what was ordered, null where nobody says
-- month                 first day of the local month of ordering
-- n                     ordered checks
-- n_completed           of those, complete
-- n_open                of those, neither complete nor ended otherwise when last looked at
-- median_days           days by which half of the checks that complete have; null where no point is known
-- low                   the median if each end came as early as it can have come
-- high                  the median if each end came as late as it can have come
-- ci_low                lower end of the median's 95 % interval
-- ci_high               upper end of the median's 95 % interval, null where nothing bounds it
-- p90_days              days by which 90 in 100 of the checks that complete have; null where no point is known
-- p90_low               the same if each end came as early as it can have come
-- p90_high              the same if each end came as late as it can have come
-- median_business_days  business days by which half of the checks that complete have
-- share_completing      share of all checks that ever complete; null while it is too early to tell
-- note                  what to know before using the row, null where there is nothing
-- @refresh view
select * exclude (grain)
from analytics.group_turnaround
where grain = 'month'
