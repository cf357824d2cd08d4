-- One row per vendor, result and adjudication of complete checks: how many, and how long the decision took.
--
-- vendor                      vendor
-- result                      clear, consider, referred or unknown
-- adjudication                the client's decision, as it stands
-- n                           complete checks with that result and adjudication
-- n_open                      of those, on which something is still expected
-- n_excluded                  of those, only partly complete: they have no part in the share
-- share                       of the vendor's wholly complete checks
-- n_decided                   of n, those with a decision of which it is known when it came
-- p50                         median calendar seconds from screened to decided, as first observed
-- p75                         75th percentile of the same
-- p90                         90th percentile of the same
-- p95                         95th percentile of the same
-- p50_earliest                median calendar seconds if every decision came at the earliest it can have come
-- p75_earliest                75th percentile of the same
-- p90_earliest                90th percentile of the same
-- p95_earliest                95th percentile of the same
-- p50_business_days           median business days from screened to decided
-- p75_business_days           75th percentile of the same
-- p90_business_days           90th percentile of the same
-- p95_business_days           95th percentile of the same
-- p50_business_days_earliest  median business days if every decision came at the earliest it can have come
-- p75_business_days_earliest  75th percentile of the same
-- p90_business_days_earliest  90th percentile of the same
-- p95_business_days_earliest  95th percentile of the same
-- @refresh view
with
-- Decided when first seen: nobody knows since when.
decision as (
    select
        f.check_key,
        e.observed_at as decided_at,
        coalesce(e.occurred_at, e.observed_at_earliest) as decided_at_earliest
    from star.fact_check as f
    inner join star.fact_check_event as e on f.check_key = e.check_key and f.adjudicated_at = e.observed_at
    where e.observed_at_earliest is not null
    qualify row_number() over (partition by f.check_key order by e.event_seq desc nulls last) = 1
),

-- A decision is waited for from when the vendor's part is over: complete, or in review. H9: one may come before that;
-- nobody waited for it then.
complete as (
    select
        f.vendor,
        f.result,
        f.adjudication,
        f.is_partial,
        f.is_terminal is not true as is_open,
        h.calendar,
        h.timezone,
        coalesce(f.screening_done_at, f.completed_at) as done_at,
        greatest(done_at, d.decided_at) as decided_at,
        greatest(done_at, d.decided_at_earliest) as decided_at_earliest,
        d.decided_at is not null as is_decided
    from star.fact_check as f
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    left join decision as d on f.check_key = d.check_key
    where f.completed_at is not null and not star.is_ongoing(f.subject)
),

timed as (
    select
        c.*,
        case when c.is_decided then date_sub('second', c.done_at, c.decided_at) end as seconds,
        case
            when c.is_decided then date_sub('second', c.done_at, c.decided_at_earliest)
        end as seconds_earliest,
        case
            when c.is_decided then decided_day.business_day_number - done_day.business_day_number
        end as business_days,
        case
            when c.is_decided then early_day.business_day_number - done_day.business_day_number
        end as business_days_earliest
    from complete as c
    left join star.dim_calendar as done_day
        on c.calendar = done_day.calendar and star.local_time(c.timezone, c.done_at)::date = done_day.date
    left join star.dim_calendar as decided_day
        on c.calendar = decided_day.calendar and star.local_time(c.timezone, c.decided_at)::date = decided_day.date
    left join star.dim_calendar as early_day
        on
            c.calendar = early_day.calendar
            and star.local_time(c.timezone, c.decided_at_earliest)::date = early_day.date
),

figure as (
    select
        vendor,
        result,
        adjudication,
        count(*) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where is_partial) as n_excluded,
        count(*) filter (where is_decided) as n_decided,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as late,
        quantile_cont(seconds_earliest, [0.5, 0.75, 0.9, 0.95]) as early,
        quantile_cont(business_days, [0.5, 0.75, 0.9, 0.95]) as late_days,
        quantile_cont(business_days_earliest, [0.5, 0.75, 0.9, 0.95]) as early_days
    from timed
    group by vendor, result, adjudication
)

select
    vendor,
    result,
    adjudication,
    n,
    n_open,
    n_excluded,
    (n - n_excluded) / nullif(sum(n - n_excluded) over (partition by vendor), 0) as share,
    n_decided,
    late[1] as p50,
    late[2] as p75,
    late[3] as p90,
    late[4] as p95,
    early[1] as p50_earliest,
    early[2] as p75_earliest,
    early[3] as p90_earliest,
    early[4] as p95_earliest,
    late_days[1] as p50_business_days,
    late_days[2] as p75_business_days,
    late_days[3] as p90_business_days,
    late_days[4] as p95_business_days,
    early_days[1] as p50_business_days_earliest,
    early_days[2] as p75_business_days_earliest,
    early_days[3] as p90_business_days_earliest,
    early_days[4] as p95_business_days_earliest
from figure
