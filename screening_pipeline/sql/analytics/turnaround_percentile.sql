-- One row per vendor, unit, assumption and percentile: the time by which so many of the checks that complete have.
--
-- vendor      vendor
-- unit        seconds (calendar) or business_days
-- assumption  earliest (each end came as early as it can have come), middle or latest
-- percentile  50, 75, 90 or 95
-- value       time since ordering, in that unit; null where checks are not followed for long enough to tell
-- low         lower end of its 95 % interval
-- high        upper end of its 95 % interval, null where nothing bounds it
-- @refresh view
select
    vendor,
    unit,
    assumption,
    percentile,
    value,
    low,
    high
from analytics.group_percentile
where grain = 'vendor'
