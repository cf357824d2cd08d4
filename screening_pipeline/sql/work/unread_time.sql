-- One row per check being recomputed and time of its vendor that could not be read.
--
-- @refresh work
with
told_last as (
    select
        check_key,
        max(received_at) as received_at
    from touched_message
    group by check_key
)

select
    o.check_key,
    'vendor_time' as field,
    o.unread_time as value,
    min(o.received_at) as first_observed_at,
    max(o.received_at) as last_observed_at,
    max(o.received_at) = any_value(l.received_at) as is_current
from touched_message as o
inner join told_last as l on o.check_key = l.check_key
where o.unread_time is not null
group by o.check_key, o.unread_time
