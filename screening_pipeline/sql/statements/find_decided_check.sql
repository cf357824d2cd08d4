-- The check of an account and subject that was decided last.
select check_id
from star.fact_check
where vendor = $vendor and account = $account and subject = $subject and vendor_adjudication is not null
order by last_observed_at desc nulls last, check_id asc nulls last
limit 1;
