-- How many checks of each account a batch has touched since their pulls were planned.
select
    c.vendor,
    c.account,
    count(*)
from raw."check" as c
semi join staging.unplanned_check as u on c.check_key = u.check_key
group by c.vendor, c.account;
