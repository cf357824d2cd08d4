-- One row per erasure: that it was done, and how much; never whom.
--
-- erasure_id      its number
-- requested_at    when
-- kind            candidate or check
-- pseudonym       keyed hash of what was erased, so that it does not come back
-- check_count     checks removed
-- response_count  responses removed
-- order_count     manifest rows removed
-- completed_at    when it was done everywhere
-- @refresh base
create table ops.erasure (
    erasure_id varchar,
    requested_at timestamptz,
    kind varchar,
    pseudonym varchar,
    check_count integer,
    response_count integer,
    order_count integer,
    completed_at timestamptz
)
