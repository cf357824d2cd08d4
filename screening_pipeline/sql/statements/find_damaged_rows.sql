-- Find a row of `landed` that lacks what every line says of its answer, or is of none of `$accounts`.
select 1
from landed
where
    response_id is null
    or channel is null
    or endpoint is null
    or received_at is null
    or requested_at is null
    or message_count is null
    or coalesce((vendor, account) not in ($accounts), true)
limit 1; -- noqa: AM09
