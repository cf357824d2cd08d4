-- One row per package each time a vendor listed it.
--
-- vendor        vendor
-- account       account
-- package_id    the vendor's id of it, as text
-- package_name  the vendor's name of it
-- listed_at     when it was listed
-- @refresh load
select
    l.vendor,
    l.account,
    l.check_id as package_id,
    l.package_name,
    l.received_at as listed_at
from landed_message as l
where l.subject = 'package'
