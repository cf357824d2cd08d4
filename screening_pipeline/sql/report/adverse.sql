-- Adverse actions that somebody should look at.
select * from analytics.adverse_action
where is_without_notice or is_too_early or is_during_dispute or is_waiting_over
order by vendor asc nulls last, check_id asc nulls last
limit 12
