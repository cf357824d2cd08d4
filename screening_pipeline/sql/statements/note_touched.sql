-- Note whom the batch touches before it is appended: whoever has already been told something later is told late.
insert into batch_touched
with
known as (
    select
        o.check_key,
        max(o.received_at) as last_received_at
    from staging.observation as o
    inner join batch_check using (check_key)
    group by o.check_key
)

select
    c.check_key,
    bool_or(l.received_at <= k.last_received_at) as is_late
from batch_check as c
left join landed_message as l
    on c.vendor = l.vendor and c.account = l.account and c.subject = l.subject and c.check_id = l.check_id
left join known as k on c.check_key = k.check_key
group by c.check_key;

insert into batch_package
select check_id from landed_message
where subject = 'package';

insert into batch_response
select
    response_id,
    received_at
from landed_message
where coalesce(message_index, 1) = 1;
