-- The checks of an account that have an id, however it is written; one for each subject.
select
    vendor,
    account,
    subject,
    check_id
from raw."check"
where vendor = $vendor and account = $account and staging.check_form(check_id) = staging.check_form($check_id)
