-- One row per vendor with subscriptions to ongoing alerts: what they have brought.
--
-- vendor           vendor
-- n                subscriptions
-- n_active         of those, that run
-- n_runs           runs listed so far
-- n_alerts         of those, with something to consider
-- n_rewritten      of those, told differently later
-- longest_silence  calendar seconds of the one that was silent longest
-- @refresh view
select
    vendor,
    count(*) as n,
    count(*) filter (where is_active) as n_active,
    sum(n_runs)::bigint as n_runs,
    sum(n_alerts)::bigint as n_alerts,
    sum(n_rewritten)::bigint as n_rewritten,
    max(silent_seconds) as longest_silence
from analytics.subscription_activity
group by vendor
