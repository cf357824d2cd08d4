-- One row per check being recomputed and time of its vendor that could not be read.
--
-- Shown by its shape, letters as a and digits as 9: anything may stand where a date should, a name or a number too.
--
-- @refresh work
with
told_last as (
    select
        check_key,
        max(received_at) as received_at
    from touched_message
    group by check_key
),

shaped as (
    select
        check_key,
        received_at,
        if(
            try_cast(unread_time as timestamptz) is not null,
            unread_time,
            regexp_replace(regexp_replace(unread_time, '\p{N}', '9', 'g'), '[\p{L}\p{M}]', 'a', 'g')
        ) as unread_time
    from touched_message
    where unread_time is not null
)

select
    o.check_key,
    'vendor_time' as field,
    o.unread_time as value,
    min(o.received_at) as first_observed_at,
    max(o.received_at) as last_observed_at,
    max(o.received_at) = any_value(l.received_at) as is_current
from shaped as o
inner join told_last as l on o.check_key = l.check_key
group by o.check_key, o.unread_time
