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
-- All three at once, and no ASOF join: DuckDB takes a view for one row, and then compares each row with each.
told as (
    select
        *,
        last_value(if(assumption = 'middle', survival, null) ignore nulls) over sequence as survival_middle,
        last_value(if(assumption = 'earliest', survival, null) ignore nulls) over sequence as survival_earliest
    from analytics.survival_curve
    where unit = 'seconds'
    window sequence as (
        partition by vendor order by time asc nulls last range between unbounded preceding and current row
    )
)

select
    vendor,
    time::bigint as time_seconds,
    n_at_risk,
    n_events,
    n_censored,
    survival,
    coalesce(survival_middle, 1) as survival_middle,
    coalesce(survival_earliest, 1) as survival_earliest
from told
where assumption = 'latest'
