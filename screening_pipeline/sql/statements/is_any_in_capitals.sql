-- One row where an id of the batch or of its checks is not in the form that tells equal ones.
select 1
from landed_message
where check_id <> staging.check_form(check_id) or asked_check_id <> staging.check_form(asked_check_id)
union all
select 1
from batch_check
where check_id <> staging.check_form(check_id)
limit 1;
