-- One row per change of any verbatim or canonical state column of a check, in the order we learned of them.
--
-- check_key                  the check
-- vendor                     vendor
-- account                    account
-- subject                    what kind of thing the vendor checks
-- check_id                   the vendor's id, as text
-- event_seq                  1, 2, … within the check
-- vendor_status              verbatim status
-- vendor_status_detail       verbatim detail of the status
-- vendor_result              verbatim result
-- vendor_adjudication        verbatim adjudication
-- vendor_dispute             verbatim dispute status
-- lifecycle                  where the check stood
-- lifecycle_reason           why it ended, where the vendor tells
-- result                     clear, consider, referred, none or unknown
-- result_source              where the result comes from
-- adjudication               the client's decision
-- dispute                    none, open, closed or unknown
-- next_actor                 who had to act
-- is_terminal                whether nothing more was expected
-- is_partial                 completed with canceled parts
-- has_conflict               whether the vendor's words contradict each other, or an unconfirmed message is the state
-- observed_at                when we learned it
-- observed_at_earliest       the last observation before it, the earliest it can have happened; null if there is none
-- occurred_at                when it happened, where the vendor says so
-- channel                    pull, feed or push
-- response_id                the response that told us
-- seconds_in_previous_state  seconds since the event before
-- previous_lifecycle         the lifecycle before
-- seconds_late_least         calendar seconds at least from the change to its being seen, null if nobody knows
-- seconds_late_most          the same at most
-- business_days_late         business days at most from the change to its being seen
-- @refresh check_key
with
change as (
    select
        message_number,
        state_key,
        is_unconfirmed,
        previous_observed_at,
        row_number() over sequence as event_seq,
        lag(observed_at) over sequence as changed_before_at,
        lag(lifecycle) over sequence as previous_lifecycle
    from applied
    where is_change
    window sequence as (partition by check_key order by place asc nulls last)
    order by place asc nulls last
)

select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    e.event_seq,
    s.vendor_status,
    s.vendor_status_detail,
    s.vendor_result,
    s.vendor_adjudication,
    s.vendor_dispute,
    r.lifecycle,
    r.lifecycle_reason,
    r.result,
    r.result_source,
    r.adjudication,
    r.dispute,
    r.next_actor,
    r.is_terminal,
    r.is_partial,
    len(r.conflicts) > 0 or e.is_unconfirmed as has_conflict,
    q.received_at as observed_at,
    e.previous_observed_at as observed_at_earliest,
    q.occurred_at,
    q.channel,
    q.response_id,
    date_sub('second', e.changed_before_at, q.received_at) as seconds_in_previous_state,
    e.previous_lifecycle,
    l.seconds_late_least,
    l.seconds_late_most,
    l.business_days_late
from change as e
inner join sequence as q on e.message_number = q.message_number
inner join staging.state as s on e.state_key = s.state_key
inner join staging.reading as r on e.state_key = r.state_key
inner join change_lateness as l on e.message_number = l.message_number
inner join concerned as c on q.check_key = c.check_key
