-- Which decisions are due? What the figures mean is told in docs/questions.md.

select vendor, check_id, next_actor, to_seconds(waiting_seconds) as waiting, waiting_business_days, is_expected
from analytics.missing_adjudication
order by waiting_seconds desc;
