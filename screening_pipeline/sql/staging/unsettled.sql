-- One row per check of an account that only pushes, whose newest message says otherwise and is not the state yet.
--
-- check_key    which check
-- response_id  the response that carried the message
-- received_at  when we learned it
-- settles_at   when it becomes the state, if nothing else comes
-- @refresh check_key
select
    check_key,
    response_id,
    received_at,
    settles_at
from sequence
where settles_at is not null and not (is_applied or is_duplicate or is_contradicted)
