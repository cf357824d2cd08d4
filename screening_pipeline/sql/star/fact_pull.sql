-- One row per call to a vendor: what it cost and what it brought.
--
-- response_id    the call
-- check_key      the check asked about, null for feeds and lists
-- vendor         vendor
-- account        account
-- subject        subject asked about, null for feeds and lists
-- check_id       id asked about, null for feeds and lists
-- endpoint       the call's name
-- channel        pull or feed
-- requested_at   when it was asked
-- received_at    when the answer was complete or given up
-- http_status    the answer's status, null where none came
-- failure        why no usable answer came
-- outcome        changed, unchanged, rejected, throttled or failed
-- latency_ms     milliseconds from request to answer
-- was_due_at     when the plan wanted it asked
-- run_id         the run that asked
-- @refresh response
select
    r.response_id,
    r.check_key,
    r.vendor,
    r.account,
    r.subject,
    r.check_id,
    r.endpoint,
    r.channel,
    r.requested_at,
    r.received_at,
    r.http_status,
    r.failure,
    case
        when r.http_status = 429 then 'throttled'
        when r.reject is not null then 'rejected'
        when r.failure is not null or r.http_status is null or r.http_status >= 300 then 'failed'
        -- What a feed hands out is what changed; an empty answer is no change.
        when r.channel = 'feed' then if(r.message_count > 0, 'changed', 'unchanged')
        when r.response_id in (select e.response_id from changed_by as e) then 'changed'
        else 'unchanged'
    end as outcome,
    r.latency_ms,
    r.due_at as was_due_at,
    r.run_id
from staging.response as r
-- The instant tells where to look: answers lie in the order in which they came.
inner join recounted using (response_id, received_at)
where r.channel <> 'push'
