-- A check has one row, by its number and by its vendor's id.
select
    vendor,
    account,
    subject,
    check_id
from star.fact_check
group by vendor, account, subject, check_id
having count(*) > 1
union all
select
    any_value(vendor) as vendor,
    any_value(account) as account,
    any_value(subject) as subject,
    any_value(check_id) as check_id
from star.fact_check
group by check_key
having count(*) > 1
