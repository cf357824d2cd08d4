-- What does asking cost, and how late do we see things? What the figures mean is told in docs/questions.md.

select
    vendor, week, n_calls, round(calls_per_change, 1) as calls_per_change, round(unchanged_share, 2) as unchanged,
    budget_share, to_seconds(p50) as seen_after_at_most, to_seconds(p50_earliest) as at_least
from analytics.pull_efficiency
order by week, vendor;

select vendor, state, n_seen, round(n_lost_before) as before_the_first_look, round(n_lost_between) as between_two, share_lost
from analytics.lost_states
order by vendor, share_lost desc;
