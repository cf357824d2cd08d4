-- One row per vendor and party that had to act: how much of the turnaround was theirs.
--
-- vendor                   vendor
-- phase                    candidate, client, client_or_candidate, vendor, or unknown
-- n                        closed checks in the figures; zero counts where the party never had to act
-- n_open                   open checks
-- n_excluded               closed checks without a usable turnaround
-- n_touched                checks of n on which the party had to act at all
-- share                    the party's part of all calendar time from ordered to complete
-- p50                      median calendar seconds
-- p75                      75th percentile of the same
-- p90                      90th percentile of the same
-- p95                      95th percentile of the same
-- p50_least                median of the least calendar seconds: between looks that showed that party
-- p75_least                75th percentile of the same
-- p90_least                90th percentile of the same
-- p95_least                95th percentile of the same
-- p50_most                 median of the most calendar seconds: all but what was surely another's
-- p75_most                 75th percentile of the same
-- p90_most                 90th percentile of the same
-- p95_most                 95th percentile of the same
-- p50_business_days        median business days
-- p75_business_days        75th percentile of the same
-- p90_business_days        90th percentile of the same
-- p95_business_days        95th percentile of the same
-- p50_business_days_least  median of the least business days it can have been
-- p75_business_days_least  75th percentile of the same
-- p90_business_days_least  90th percentile of the same
-- p95_business_days_least  95th percentile of the same
-- p50_business_days_most   median of the most business days it can have been
-- p75_business_days_most   75th percentile of the same
-- p90_business_days_most   90th percentile of the same
-- p95_business_days_most   95th percentile of the same
-- @refresh view
with
party as (
    select unnest(['candidate', 'client', 'client_or_candidate', 'vendor', 'unknown']) as phase
),

counted as (
    select
        vendor,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        sum(seconds) as total_seconds
    from analytics.check_clock
    group by vendor
),

included as (
    select check_key
    from analytics.check_clock
    where is_included
),

-- What has ended, as it is kept: nothing of it runs on. Days as small numbers, since all of them are held at once.
spent as (
    select
        p.vendor,
        p.phase,
        p.held_us // 1000000 as seconds,
        p.least_us // 1000000 as seconds_least,
        p.most_us // 1000000 as seconds_most,
        p.held_days::integer as business_days,
        p.least_days::integer as business_days_least,
        p.most_days::integer as business_days_most
    from star.fact_check_phase as p
    semi join included as c on p.check_key = c.check_key
),

figure as (
    select
        vendor,
        phase,
        count(*) filter (where seconds > 0) as n_touched,
        sum(seconds) as seconds,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as likely,
        quantile_cont(seconds_least, [0.5, 0.75, 0.9, 0.95]) as least,
        quantile_cont(seconds_most, [0.5, 0.75, 0.9, 0.95]) as most,
        quantile_cont(business_days, [0.5, 0.75, 0.9, 0.95]) as days,
        quantile_cont(business_days_least, [0.5, 0.75, 0.9, 0.95]) as least_days,
        quantile_cont(business_days_most, [0.5, 0.75, 0.9, 0.95]) as most_days
    from spent
    group by vendor, phase
)

select
    c.vendor,
    y.phase,
    c.n,
    c.n_open,
    c.n_excluded,
    coalesce(f.n_touched, 0) as n_touched,
    f.seconds / nullif(c.total_seconds, 0) as share,
    f.likely[1] as p50,
    f.likely[2] as p75,
    f.likely[3] as p90,
    f.likely[4] as p95,
    f.least[1] as p50_least,
    f.least[2] as p75_least,
    f.least[3] as p90_least,
    f.least[4] as p95_least,
    f.most[1] as p50_most,
    f.most[2] as p75_most,
    f.most[3] as p90_most,
    f.most[4] as p95_most,
    f.days[1] as p50_business_days,
    f.days[2] as p75_business_days,
    f.days[3] as p90_business_days,
    f.days[4] as p95_business_days,
    f.least_days[1] as p50_business_days_least,
    f.least_days[2] as p75_business_days_least,
    f.least_days[3] as p90_business_days_least,
    f.least_days[4] as p95_business_days_least,
    f.most_days[1] as p50_business_days_most,
    f.most_days[2] as p75_business_days_most,
    f.most_days[3] as p90_business_days_most,
    f.most_days[4] as p95_business_days_most
from counted as c
cross join party as y
left join figure as f on c.vendor = f.vendor and y.phase = f.phase
