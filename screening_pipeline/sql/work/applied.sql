-- One row per applied message of the checks being recomputed: what it means for what was known before.
--
-- @refresh work
-- Nothing but what the windows need: they carry every column of a row, and words are joined where they are told.
select
    message_number,
    check_key,
    state_key,
    place,
    received_at as observed_at,
    lifecycle,
    is_complete,
    is_unconfirmed,
    lead(place) over sequence is null as is_present,
    -- Messages of one answer are one look: only what was told at an instant before bounds a change.
    max(received_at) over (
        partition by check_key order by received_at asc nulls last groups between unbounded preceding and 1 preceding
    ) as previous_observed_at,
    coalesce(
        fingerprint <> lag(fingerprint) over sequence or is_unconfirmed <> lag(is_unconfirmed) over sequence, true
    ) as is_change,
    -- H6: an invitation that expired was renewed if the order completes after all.
    lifecycle = 'completed' and coalesce(lag(is_soft_end) over sequence, false) as is_renewal,
    lag(is_terminal) over sequence and (is_renewal or not is_terminal) as is_reopening,
    is_terminal and (is_renewal or not coalesce(lag(is_terminal) over sequence, false)) as is_closing
from sequence
where is_applied
window sequence as (partition by check_key order by place asc nulls last)
order by place asc nulls last
