-- What do subscriptions bring? What the figures mean is told in docs/questions.md.

select vendor, check_id, is_active, n_runs, n_alerts, n_rewritten, last_run_at, to_seconds(silent_seconds) as silent
from analytics.subscription_activity
order by silent_seconds desc nulls last;

select vendor, n, n_active, n_runs, n_alerts, n_rewritten, to_seconds(longest_silence) as longest_silence
from analytics.subscriptions_by_vendor
order by vendor;
