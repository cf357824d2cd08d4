-- One row per call or pushed message: how it went, without its body.
--
-- response_id    the landed response
-- vendor         vendor
-- account        account
-- subject        subject asked for, null for feeds and lists
-- check_id       id asked for, null for feeds and lists
-- check_key      which check, null for feeds, lists and rejects of unknown checks
-- endpoint       the call's name
-- channel        pull, feed or push
-- http_status    the answer's status, null where none came
-- failure        why no usable answer came
-- reject         why a 2xx answer was not read
-- requested_at   when it was asked
-- received_at    when the answer was complete
-- due_at         when the plan wanted it asked
-- latency_ms     milliseconds from request to answer
-- message_count  messages read from it
-- run_id         the run that asked
-- @refresh load
select
    l.response_id,
    l.vendor,
    l.account,
    l.asked_subject as subject,
    l.asked_check_id as check_id,
    c.check_key,
    l.endpoint,
    l.channel,
    l.http_status,
    l.failure,
    l.reject,
    l.requested_at,
    l.received_at,
    l.due_at,
    l.latency_ms,
    l.message_count,
    l.run_id
from landed_message as l
left join batch_check as c
    on
        l.vendor = c.vendor and l.account = c.account
        and coalesce(l.asked_subject, l.subject) = c.subject
        -- A feed or a list is about no check; said in an equation, since anything else here makes it a join of all with
        -- all.
        and coalesce(l.asked_check_id, if(l.channel = 'push', l.check_id, null)) = c.check_id
where coalesce(l.message_index, 1) = 1
