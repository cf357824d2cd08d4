-- Number the checks in `gone` as the open warehouse numbers them.
update gone set check_key = c.check_key
from raw."check" as c
where
    gone.vendor = c.vendor and gone.account = c.account
    and gone.subject = c.subject and gone.check_id = c.check_id;
