-- One row per vendor and whoever has to act: how many open checks wait for them, and for how long.
--
-- vendor                 vendor
-- phase                  candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- n                      open checks
-- n_stale                of those, whose state has lasted longer than such a state should
-- p50                    median calendar seconds in the present state
-- p75                    75th percentile of the same
-- p90                    90th percentile of the same
-- p95                    95th percentile of the same
-- longest_seconds        calendar seconds of the one that is held longest
-- longest_business_days  the most business days that one is held
-- @refresh view
with
figure as (
    select
        vendor,
        star.phase_of(next_actor) as phase,
        count(*) as n,
        count(*) filter (where is_stale) as n_stale,
        quantile_cont(held_seconds, [0.5, 0.75, 0.9, 0.95]) as held,
        max(held_seconds) as longest_seconds,
        max(held_business_days) as longest_business_days
    from analytics.open_check_ageing
    group by all
)

select
    vendor,
    phase,
    n,
    n_stale,
    held[1] as p50,
    held[2] as p75,
    held[3] as p90,
    held[4] as p95,
    longest_seconds,
    longest_business_days
from figure
