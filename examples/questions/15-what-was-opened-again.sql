-- What was opened again? What the figures mean is told in docs/questions.md.

select vendor, check_id, reopened_from, reopened_to, is_disputed, ended_for_business_days, is_open
from analytics.reopened_checks
order by reopened_at desc;

select vendor, n, n_open, n_disputed, to_seconds(p50_ended_for) as ended_for, to_seconds(p50_open_again) as open_again
from analytics.reopenings_by_vendor
order by vendor;
