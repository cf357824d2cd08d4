-- One row per distinct set of words of the batch that was never told before.
--
-- @refresh work load
select distinct
    l.state_key,
    l.vendor,
    l.account,
    l.subject,
    l.vendor_status,
    l.vendor_status_detail,
    l.vendor_result,
    l.vendor_adjudication,
    l.vendor_dispute,
    l.part_words,
    l.is_active,
    l.has_vendor_time,
    l.as_of
from landed_message as l
where
    l.state_key is not null and l.subject <> 'package'
    and not exists (select 1 from known_state as s where l.state_key = s.state_key)
