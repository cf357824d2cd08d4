-- One row per subscription to ongoing alerts: what it has brought.
--
-- check_key             the subscription
-- vendor                vendor
-- account               account
-- check_id              the subscription's id
-- report_check_id       the report it belongs to
-- is_active             whether it runs
-- vendor_status         verbatim status of its last run
-- result                clear, consider, none or unknown
-- started_on            the local date it started
-- n_runs                runs listed so far
-- n_alerts              of those, with something to consider
-- n_rewritten           of those, told differently later
-- first_run_at          its first run
-- last_run_at           its last run
-- p50                   median calendar seconds between runs
-- p75                   75th percentile of the same
-- p90                   90th percentile of the same
-- p95                   95th percentile of the same
-- p50_business_days     median business days between runs
-- p75_business_days     75th percentile of the same
-- p90_business_days     90th percentile of the same
-- p95_business_days     95th percentile of the same
-- as_of                 the instant that silence is counted to
-- silent_seconds        calendar seconds since its last run, null unless it is active
-- silent_business_days  business days since its last run, null unless it is active
-- @refresh view
with
placed as (
    select
        r.*,
        d.business_day_number
    from star.fact_subscription_run as r
    inner join analytics.account_horizon as h on r.vendor = h.vendor and r.account = h.account
    left join star.dim_calendar as d
        on h.calendar = d.calendar and star.local_time(h.timezone, r.run_at)::date = d.date
),

spaced as (
    select
        *,
        date_sub('second', lag(run_at) over sequence, run_at) as seconds,
        business_day_number - lag(business_day_number) over sequence as business_days
    from placed
    window sequence as (partition by check_key order by run_at asc nulls last)
),

run as (
    select
        check_key,
        count(*) as n_runs,
        count(*) filter (where result = 'consider') as n_alerts,
        count(*) filter (where rewritten_count > 0) as n_rewritten,
        min(run_at) as first_run_at,
        max(run_at) as last_run_at,
        max(business_day_number) as last_business_day_number,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as apart,
        quantile_cont(business_days, [0.5, 0.75, 0.9, 0.95]) as days_apart
    from spaced
    group by check_key
)

select
    s.check_key,
    s.vendor,
    s.account,
    s.check_id,
    s.report_check_id,
    s.is_active,
    s.vendor_status,
    s.result,
    s.started_on,
    coalesce(r.n_runs, 0) as n_runs,
    coalesce(r.n_alerts, 0) as n_alerts,
    coalesce(r.n_rewritten, 0) as n_rewritten,
    r.first_run_at,
    r.last_run_at,
    r.apart[1] as p50,
    r.apart[2] as p75,
    r.apart[3] as p90,
    r.apart[4] as p95,
    r.days_apart[1] as p50_business_days,
    r.days_apart[2] as p75_business_days,
    r.days_apart[3] as p90_business_days,
    r.days_apart[4] as p95_business_days,
    h.latest_at as as_of,
    -- A run that is dated ahead has only just been.
    case when s.is_active then if(r.last_run_at > h.latest_at, 0, date_sub('second', r.last_run_at, h.latest_at)) end
        as silent_seconds,
    case
        when s.is_active
            then if(r.last_run_at > h.latest_at, 0, d.business_day_number - r.last_business_day_number)
    end as silent_business_days
from star.fact_subscription as s
inner join analytics.account_horizon as h on s.vendor = h.vendor and s.account = h.account
left join run as r on s.check_key = r.check_key
left join star.dim_calendar as d
    on h.calendar = d.calendar and star.local_time(h.timezone, h.latest_at)::date = d.date
