-- List the answers of the batch that were refused, whole or in part.
insert into ops.reject by name
select
    response_id as reject_id,
    if(channel = 'push', 'push', 'response') as source,
    vendor,
    account,
    coalesce(asked_check_id, check_id) as check_id,
    response_id,
    null as message_index,
    reject as reason,
    reject_detail as detail,
    received_at as rejected_at
from landed_message
where reject is not null and coalesce(message_index, 1) = 1
union all by name
select
    concat(response_id, '/', bad.index + 1) as reject_id,
    'message' as source,
    vendor,
    account,
    null as check_id,
    response_id,
    bad.index + 1 as message_index,
    bad.reason,
    null as detail,
    received_at as rejected_at
from (
    select
        response_id,
        vendor,
        account,
        received_at,
        unnest(message_rejects) as bad
    from landed_message
    where coalesce(message_index, 1) = 1 and message_rejects is not null
)
union all by name
-- The message was read, but for this.
select
    concat(response_id, '/', bad.index + 1, '/', bad.part) as reject_id,
    'part' as source,
    vendor,
    account,
    check_id,
    response_id,
    bad.index + 1 as message_index,
    'unreadable_part' as reason,
    bad.part as detail,
    received_at as rejected_at
from (
    select
        response_id,
        vendor,
        account,
        coalesce(asked_check_id, check_id) as check_id,
        received_at,
        unnest(part_rejects) as bad
    from landed_message
    where coalesce(message_index, 1) = 1 and part_rejects is not null
);
