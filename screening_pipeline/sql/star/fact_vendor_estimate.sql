-- One row per check and day on which its vendor said that it will be complete: since when it said so, and until when.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- subject              what kind of thing the vendor checks
-- check_id             the vendor's id, as text
-- vendor_estimated_on  the day, as told
-- first_observed_at    the first observation of it
-- last_observed_at     the last observation of it
-- @refresh check_key
select
    o.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    o.vendor_estimated_on,
    min(q.received_at) as first_observed_at,
    max(q.received_at) as last_observed_at
from touched_message as o
inner join sequence as q on o.message_number = q.message_number
inner join concerned as c on o.check_key = c.check_key
where q.is_applied and o.vendor_estimated_on is not null
group by all
