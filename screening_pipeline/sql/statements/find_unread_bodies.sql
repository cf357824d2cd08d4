-- Find bodies that were not read, or not all of them, errors among them: whom they name nobody has looked at.
select
    vendor,
    account,
    timezone('UTC', received_at)::date::varchar as day,
    list(response_id) as response_ids
from landed
where
    coalesce(
        reject <> 'erased',
        failure is not null or http_status not between 200 and 299 or len(message_rejects) > 0
    )
group by all;
