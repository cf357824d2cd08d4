-- What is open, how old is it, and who has to act? What the figures mean is told in docs/questions.md.

select vendor, check_id, lifecycle, next_actor, to_seconds(age_seconds) as age, age_business_days, is_stale
from analytics.open_check_ageing
order by is_stale desc, age_seconds desc
limit 50;

select vendor, lifecycle, days, business_days
from analytics.stale_after;

select vendor, phase, n, n_stale, to_seconds(p50) as held_for, to_seconds(longest_seconds) as longest
from analytics.open_checks_by_actor
order by vendor, n desc;

select vendor, age, phase, n
from analytics.open_checks_by_age
order by vendor, age, phase;
