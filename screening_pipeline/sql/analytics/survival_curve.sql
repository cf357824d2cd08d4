-- One row per vendor, unit, assumption and time since ordering at which checks ended or were last seen open.
--
-- vendor       vendor
-- unit         seconds (calendar) or business_days
-- assumption   latest (each end came as late as it can have come), middle or earliest
-- time         time since ordering, in that unit
-- n_at_risk    checks not ended, and under watch, just before that time
-- n_events     checks completed at that time
-- n_otherwise  checks canceled, expired or declined at that time
-- n_censored   open checks that are only known to take longer than that time
-- survival     estimated share of the checks that complete which take longer than that time
-- @refresh view
select
    vendor,
    unit,
    assumption,
    time,
    n_at_risk,
    n_events,
    n_otherwise,
    n_censored,
    1 - share as survival
from analytics.completion_curve
where grain = 'vendor'
