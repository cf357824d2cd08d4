-- One row per vendor and week: what its calls cost, what they brought, and how late changes were seen.
--
-- vendor             vendor
-- week               the week's Monday, UTC
-- n_calls            calls made
-- n_changed          of those, that brought a change
-- n_unchanged        of those, that brought none
-- n_rejected         of those, whose answer could not be read
-- n_throttled        of those, refused because there were too many
-- n_failed           of those, without an answer or with an error
-- n_changes          changes of checks first seen in the week, by call or feed
-- n_pushed           changes of checks first seen in the week, by push
-- calls_per_change   n_calls for each of n_changes
-- unchanged_share    n_unchanged as a share of n_calls
-- budget_share       n_calls as a share of the calls allowed in the part of the week that was lived through
-- n                  changes of which it is known how late they were seen at most
-- p50                median calendar seconds at most from a change to its being seen
-- p75                75th percentile of the same
-- p90                90th percentile of the same
-- p95                95th percentile of the same
-- p50_earliest       median calendar seconds at least from a change to its being seen
-- p75_earliest       75th percentile of the same
-- p90_earliest       90th percentile of the same
-- p95_earliest       95th percentile of the same
-- p50_business_days  median business days at most from a change to its being seen
-- p75_business_days  75th percentile of the same
-- p90_business_days  90th percentile of the same
-- p95_business_days  95th percentile of the same
-- p50_overdue        median calendar seconds by which a planned call came later than it was due
-- p95_overdue        95th percentile of the same
-- @refresh view
with
call as (
    select
        p.vendor,
        p.account,
        p.outcome,
        p.requested_at,
        star.utc_week(p.requested_at) as week,
        case
            when p.was_due_at is not null then greatest(0, date_sub('second', p.was_due_at, p.requested_at))
        end as seconds_overdue
    from star.fact_pull as p
    inner join star.dim_account as a on p.vendor = a.vendor and p.account = a.account
    where a.is_analyzed
),

called as (
    select
        vendor,
        week,
        count(*) as n_calls,
        count(*) filter (where outcome = 'changed') as n_changed,
        count(*) filter (where outcome = 'unchanged') as n_unchanged,
        count(*) filter (where outcome = 'rejected') as n_rejected,
        count(*) filter (where outcome = 'throttled') as n_throttled,
        count(*) filter (where outcome = 'failed') as n_failed,
        quantile_cont(seconds_overdue, [0.5, 0.95]) as overdue
    from call
    group by vendor, week
),

begun as (
    select
        vendor,
        account,
        min(requested_at) as first_at
    from call
    group by vendor, account
),

-- A week counts from the account's first call on and up to the latest instant known, at least a minute; also that of an
-- account of which nothing was asked in it.
allowance as (
    select
        w.vendor,
        w.week,
        sum(
            a.requests_per_minute * greatest(
                1,
                date_sub(
                    'minute',
                    greatest(b.first_at, star.instant_of('UTC', w.week::timestamp)),
                    least(h.latest_at, star.instant_of('UTC', (w.week + 7)::timestamp))
                )
            )
        ) as n_allowed
    from called as w
    inner join begun as b on w.vendor = b.vendor and b.first_at < star.instant_of('UTC', (w.week + 7)::timestamp)
    inner join analytics.account_horizon as h on b.vendor = h.vendor and b.account = h.account
    inner join star.dim_account as a on b.vendor = a.vendor and b.account = a.account
    group by w.vendor, w.week
),

seen as (
    select
        e.vendor,
        star.utc_week(e.observed_at) as week,
        count(*) filter (where e.channel <> 'push') as n_changes,
        count(*) filter (where e.channel = 'push') as n_pushed,
        count(e.seconds_late_most) as n,
        quantile_cont(e.seconds_late_most, [0.5, 0.75, 0.9, 0.95]) as most,
        quantile_cont(e.seconds_late_least, [0.5, 0.75, 0.9, 0.95]) as least,
        quantile_cont(e.business_days_late, [0.5, 0.75, 0.9, 0.95]) as days
    from star.fact_check_event as e
    inner join star.dim_account as a on e.vendor = a.vendor and e.account = a.account
    where a.is_analyzed
    group by e.vendor, star.utc_week(e.observed_at)
)

select
    coalesce(c.vendor, s.vendor) as vendor,
    coalesce(c.week, s.week) as week,
    coalesce(c.n_calls, 0) as n_calls,
    coalesce(c.n_changed, 0) as n_changed,
    coalesce(c.n_unchanged, 0) as n_unchanged,
    coalesce(c.n_rejected, 0) as n_rejected,
    coalesce(c.n_throttled, 0) as n_throttled,
    coalesce(c.n_failed, 0) as n_failed,
    coalesce(s.n_changes, 0) as n_changes,
    coalesce(s.n_pushed, 0) as n_pushed,
    c.n_calls / nullif(s.n_changes, 0) as calls_per_change,
    c.n_unchanged / nullif(c.n_calls, 0) as unchanged_share,
    c.n_calls / nullif(a.n_allowed, 0) as budget_share,
    coalesce(s.n, 0) as n,
    s.most[1] as p50,
    s.most[2] as p75,
    s.most[3] as p90,
    s.most[4] as p95,
    s.least[1] as p50_earliest,
    s.least[2] as p75_earliest,
    s.least[3] as p90_earliest,
    s.least[4] as p95_earliest,
    s.days[1] as p50_business_days,
    s.days[2] as p75_business_days,
    s.days[3] as p90_business_days,
    s.days[4] as p95_business_days,
    c.overdue[1] as p50_overdue,
    c.overdue[2] as p95_overdue
from called as c
full join seen as s on c.vendor = s.vendor and c.week = s.week
left join allowance as a on c.vendor = a.vendor and c.week = a.week
