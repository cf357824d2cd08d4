-- One row per applied message of the checks being recomputed, with its words, their reading and what came before.
--
-- @refresh work
select
    q.message_number,
    q.check_key,
    q.response_id,
    q.message_index,
    q.channel,
    q.received_at as observed_at,
    q.told_at,
    q.told_until,
    q.time_means,
    s.vendor_status,
    s.vendor_status_detail,
    s.vendor_result,
    s.vendor_adjudication,
    s.vendor_dispute,
    r.* exclude (state_key),
    row_number() over sequence as place,
    lag(q.received_at) over sequence as previous_observed_at,
    coalesce(r.fingerprint <> lag(r.fingerprint) over sequence, true) as is_change,
    -- H6: an invitation that expired was renewed if the order completes after all.
    r.lifecycle = 'completed'
    and coalesce(lag(r.lifecycle_reason) over sequence = 'invitation_expired', false) as is_renewal,
    lag(r.is_terminal) over sequence and (is_renewal or not r.is_terminal) as is_reopening,
    r.is_terminal and (is_renewal or not coalesce(lag(r.is_terminal) over sequence, false)) as is_closing,
    r.lifecycle = 'completed' and not (r.result = 'referred' and q.told_at is null) as is_complete
from sequence as q
inner join staging.state as s on q.state_key = s.state_key
inner join staging.reading as r on q.state_key = r.state_key
where q.is_applied
window sequence as (partition by q.check_key order by q.place)
