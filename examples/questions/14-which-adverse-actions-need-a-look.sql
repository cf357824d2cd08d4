-- Which adverse actions need a look? What the figures mean is told in docs/questions.md.

select vendor, check_id, pre_adverse_at, final_adverse_at, waited_business_days, required_business_days
from analytics.adverse_action
where is_without_notice or is_too_early or is_during_dispute or is_waiting_over;
