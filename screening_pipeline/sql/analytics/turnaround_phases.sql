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

spent as (
    select
        c.vendor,
        y.phase,
        c.is_open,
        c.is_included,
        p.seconds > 0 as is_touched,
        if(c.is_included, p.seconds, null) as seconds,
        if(c.is_included, p.seconds_least, null) as seconds_least,
        if(c.is_included, p.seconds_most, null) as seconds_most,
        if(c.is_included, p.business_days, null) as business_days,
        if(c.is_included, p.business_days_least, null) as business_days_least,
        if(c.is_included, p.business_days_most, null) as business_days_most,
        if(c.is_included, c.seconds, null) as total_seconds
    from analytics.check_clock as c
    cross join party as y
    left join analytics.check_phase as p on c.check_key = p.check_key and y.phase = p.phase
),

figure as (
    select
        vendor,
        phase,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        count(*) filter (where is_included and is_touched) as n_touched,
        sum(seconds) / nullif(sum(total_seconds), 0) as share,
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
    vendor,
    phase,
    n,
    n_open,
    n_excluded,
    n_touched,
    share,
    likely[1] as p50,
    likely[2] as p75,
    likely[3] as p90,
    likely[4] as p95,
    least[1] as p50_least,
    least[2] as p75_least,
    least[3] as p90_least,
    least[4] as p95_least,
    most[1] as p50_most,
    most[2] as p75_most,
    most[3] as p90_most,
    most[4] as p95_most,
    days[1] as p50_business_days,
    days[2] as p75_business_days,
    days[3] as p90_business_days,
    days[4] as p95_business_days,
    least_days[1] as p50_business_days_least,
    least_days[2] as p75_business_days_least,
    least_days[3] as p90_business_days_least,
    least_days[4] as p95_business_days_least,
    most_days[1] as p50_business_days_most,
    most_days[2] as p75_business_days_most,
    most_days[3] as p90_business_days_most,
    most_days[4] as p95_business_days_most
from figure
