-- Adverse actions that somebody should look at.
select * from analytics.adverse_action
where is_without_notice or is_too_early or is_during_dispute or is_waiting_over
order by vendor, check_id
limit 12
