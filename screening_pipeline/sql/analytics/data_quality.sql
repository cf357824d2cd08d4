-- One row per account that is counted, and one for rejects of no known account: what figures rest on.
--
-- vendor             vendor, null for rejects that name no known account
-- account            account
-- known_at           the last instant at which the account told something that could be read
-- n_checks           checks, subscriptions aside
-- n                  closed checks in the turnaround figures
-- n_open             open checks
-- n_excluded         closed checks without a usable turnaround
-- n_left_censored    of those, first seen when they were complete already
-- n_no_order_time    of those, without an order time
-- n_negative         of those, complete before they were ordered
-- n_ended_otherwise  of those, canceled, expired or declined
-- n_never_observed   checks ordered of which the vendor has told nothing yet
-- n_conflicts        checks whose present words contradict each other
-- n_unmapped         checks whose present words are in no mapping
-- n_rejects          answers, messages and manifest rows that could not be read
-- n_calls            calls made
-- n_calls_failed     of those, refused, failed or not readable
-- vendor_time_share  completions in the figures that the vendor dates itself, as a share of n
-- p50                median calendar seconds by which a turnaround may be shorter than counted
-- p75                75th percentile of the same
-- p90                90th percentile of the same
-- p95                95th percentile of the same
-- p50_business_days  median business days by which a turnaround may be shorter than counted
-- p75_business_days  75th percentile of the same
-- p90_business_days  90th percentile of the same
-- p95_business_days  95th percentile of the same
-- @refresh view
with
clock as (
    select
        c.vendor,
        c.account,
        count(*) as n_checks,
        count(*) filter (where c.is_included) as n,
        count(*) filter (where c.is_open) as n_open,
        count(*) filter (where not c.is_open and not c.is_included) as n_excluded,
        count(*) filter (where c.excluded_reason = 'left_censored') as n_left_censored,
        count(*) filter (where c.excluded_reason = 'no_order_time') as n_no_order_time,
        count(*) filter (where c.excluded_reason = 'negative') as n_negative,
        count(*) filter (where star.is_ended_otherwise(c.excluded_reason)) as n_ended_otherwise,
        count(*) filter (where f.first_observed_at is null) as n_never_observed,
        count(*) filter (where f.has_conflict) as n_conflicts,
        count(*) filter (where c.is_included and f.completed_at_source = 'vendor') as n_dated,
        quantile_cont(c.seconds - c.seconds_earliest, [0.5, 0.75, 0.9, 0.95]) as apart,
        quantile_cont(c.business_days - c.business_days_earliest, [0.5, 0.75, 0.9, 0.95]) as days_apart
    from analytics.check_clock as c
    inner join star.fact_check as f on c.check_key = f.check_key
    group by c.vendor, c.account
),

unmapped as (
    select
        vendor,
        account,
        count(distinct check_key) as n_unmapped
    from ops.unmapped_value
    where is_current
    group by vendor, account
),

call as (
    select
        vendor,
        account,
        count(*) as n_calls,
        count(*) filter (where outcome in ('rejected', 'throttled', 'failed')) as n_calls_failed
    from star.fact_pull
    group by vendor, account
),

-- Accounts that are not counted have their rejects left out as well.
reject as (
    select
        a.vendor,
        a.account,
        count(*) as n_rejects
    from ops.reject as r
    left join star.dim_account as a on r.vendor = a.vendor and r.account = a.account
    where a.is_analyzed or a.vendor is null
    group by a.vendor, a.account
)

select
    h.vendor,
    h.account,
    h.known_at,
    coalesce(c.n_checks, 0) as n_checks,
    coalesce(c.n, 0) as n,
    coalesce(c.n_open, 0) as n_open,
    coalesce(c.n_excluded, 0) as n_excluded,
    coalesce(c.n_left_censored, 0) as n_left_censored,
    coalesce(c.n_no_order_time, 0) as n_no_order_time,
    coalesce(c.n_negative, 0) as n_negative,
    coalesce(c.n_ended_otherwise, 0) as n_ended_otherwise,
    coalesce(c.n_never_observed, 0) as n_never_observed,
    coalesce(c.n_conflicts, 0) as n_conflicts,
    coalesce(u.n_unmapped, 0) as n_unmapped,
    coalesce(r.n_rejects, 0) as n_rejects,
    coalesce(p.n_calls, 0) as n_calls,
    coalesce(p.n_calls_failed, 0) as n_calls_failed,
    c.n_dated / nullif(c.n, 0) as vendor_time_share,
    c.apart[1] as p50,
    c.apart[2] as p75,
    c.apart[3] as p90,
    c.apart[4] as p95,
    c.days_apart[1] as p50_business_days,
    c.days_apart[2] as p75_business_days,
    c.days_apart[3] as p90_business_days,
    c.days_apart[4] as p95_business_days
from analytics.account_horizon as h
full join reject as r on h.vendor = r.vendor and h.account = r.account
left join clock as c on h.vendor = c.vendor and h.account = c.account
left join unmapped as u on h.vendor = u.vendor and h.account = u.account
left join call as p on h.vendor = p.vendor and h.account = p.account
