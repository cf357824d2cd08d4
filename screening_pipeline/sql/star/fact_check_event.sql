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
-- has_conflict               whether the vendor's words contradict each other
-- observed_at                when we learned it
-- observed_at_earliest       the last observation before it, the earliest it can have happened; null if there is none
-- occurred_at                when it happened, where the vendor says so
-- channel                    pull, feed or push
-- response_id                the response that told us
-- seconds_in_previous_state  seconds since the event before
-- previous_lifecycle         the lifecycle before
-- @refresh check_key
select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    row_number() over sequence as event_seq,
    e.vendor_status,
    e.vendor_status_detail,
    e.vendor_result,
    e.vendor_adjudication,
    e.vendor_dispute,
    e.lifecycle,
    e.lifecycle_reason,
    e.result,
    e.result_source,
    e.adjudication,
    e.dispute,
    e.next_actor,
    e.is_terminal,
    e.is_partial,
    len(e.conflicts) > 0 as has_conflict,
    e.observed_at,
    e.previous_observed_at as observed_at_earliest,
    case when e.time_means = 'state' or e.is_complete then e.told_at end as occurred_at,
    e.channel,
    e.response_id,
    date_sub('second', lag(e.observed_at) over sequence, e.observed_at) as seconds_in_previous_state,
    lag(e.lifecycle) over sequence as previous_lifecycle
from applied as e
inner join concerned as c on e.check_key = c.check_key
where e.is_change
window sequence as (partition by e.check_key order by e.place)
