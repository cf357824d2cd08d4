-- Number the checks in `gone` as the warehouse in `old` numbers them.
update gone set check_key = c.check_key
from old.raw."check" as c
where
    gone.vendor = c.vendor and gone.account = c.account
    and gone.subject = c.subject and gone.check_id = c.check_id;
