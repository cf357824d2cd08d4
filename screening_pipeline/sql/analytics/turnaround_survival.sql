-- One row per vendor and time after ordering at which checks ended or were last seen open: how many take longer.
--
-- vendor             vendor
-- time_seconds       calendar seconds since ordering
-- n_at_risk          checks not ended, and under watch, just before that time
-- n_events           checks completed at that time
-- n_censored         open checks that are only known to take longer than that time
-- survival           estimated share of the checks that complete which take longer than that time
-- survival_middle    the same estimate if each end came in the middle between its bounds
-- survival_earliest  the same estimate if each end came as early as it can have come
-- @refresh view
with
latest as (
    select * from analytics.survival_curve
    where unit = 'seconds' and assumption = 'latest'
),

middle as (
    select * from analytics.survival_curve
    where unit = 'seconds' and assumption = 'middle'
),

earliest as (
    select * from analytics.survival_curve
    where unit = 'seconds' and assumption = 'earliest'
)

select
    l.vendor,
    l.time::bigint as time_seconds,
    l.n_at_risk,
    l.n_events,
    l.n_censored,
    l.survival,
    coalesce(m.survival, 1) as survival_middle,
    coalesce(e.survival, 1) as survival_earliest
from latest as l
asof left join middle as m
    on l.vendor = m.vendor and l.time >= m.time
asof left join earliest as e
    on l.vendor = e.vendor and l.time >= e.time
