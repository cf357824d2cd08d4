-- When will it end, and will it be in time? What the figures mean is told in docs/questions.md.

select vendor, check_id, package, days_p10, days_p50, days_p90, is_probably_over, due_at, chance_late
from analytics.open_check_eta
order by chance_late desc nulls last;

select vendor, week, n, expected, low, high
from analytics.breach_forecast
order by week, vendor;

select vendor, state, times, n_left, expected
from analytics.slowdown
where is_slow;

select vendor, check_id, needed_by, chance_in_time, p50, next_actor
from analytics.starts_at_risk
where is_at_risk
order by chance_in_time, needed_by;

select vendor, state, count(*) as n, count(left_by) as n_left
from analytics.check_stay
group by all;

select check_key, sla_target, due_at
from analytics.open_check_due;
