-- One row per message about a check, in the order it was received: the words and facts as told, re-addressed.
--
-- check_key        which check
-- response_id      the response that carried the message
-- message_index    its place in the response, from 1
-- channel          pull, feed or push
-- received_at      when we learned it
-- state_key        its words (staging.state); null where it only names the check
-- told_at          when the vendor says it happened; the start of the day where only a date is told
-- told_until       the same, or the end of that day
-- started_at       when a subscription started
-- report_check_id  the report a subscription belongs to
-- report_url       the vendor's page, without its query
-- has_attachment   whether the vendor attached a document
-- components       the parts: identity, display name, type and words
-- actions          the types of what somebody has to do
-- runs             the runs of a subscription
-- flex_fields      the customer's own fields that its account names, as JSON
-- vendor_assessment          what the customer's rules at the vendor make of it, verbatim
-- vendor_estimated_on        the day on which the vendor thinks that it will be complete
-- vendor_turnaround_seconds  how long it took, as the vendor counts
-- unread_time      a vendor time that could not be read, or was yet to come, as told
-- @refresh load
select
    c.check_key,
    l.response_id,
    l.message_index,
    l.channel,
    l.received_at,
    l.state_key,
    l.told_at,
    l.told_until,
    l.started_at,
    l.report_check_id,
    l.report_url,
    l.has_attachment = 'true' as has_attachment,
    l.components,
    l.actions,
    l.runs,
    l.flex_fields,
    l.vendor_assessment,
    l.vendor_estimated_on,
    l.vendor_turnaround_seconds,
    l.unread_time
from landed_message as l
inner join batch_check as c
    on l.vendor = c.vendor and l.account = c.account and l.subject = c.subject and l.check_id = c.check_id
