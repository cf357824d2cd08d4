-- One row per call each time a batch counted it, since the last snapshot.
--
-- response_id  the call
-- received_at  when it was answered
-- @refresh base
create table staging.unpublished_call (
    response_id varchar,
    received_at timestamptz
)
