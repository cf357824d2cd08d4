-- Take in as orders what messages tell of them, where nothing of the kind was told of the check before.
insert into new_order by name
with
told as (
    select
        c.check_key,
        concat(l.vendor, '/', l.account, '/', l.endpoint) as file,
        l.vendor,
        l.account,
        l.subject,
        l.check_id,
        l.candidate_key,
        nullif(trim(l.order_package), '') as package,
        l.ordered_at,
        l.received_at as loaded_at,
        l.run_id,
        row_number() over (
            order by l.received_at asc nulls last, l.response_id asc nulls last, l.message_index asc nulls last
        ) as place
    from landed_message as l
    inner join batch_check as c
        on l.vendor = c.vendor and l.account = c.account and l.subject = c.subject and l.check_id = c.check_id
    where coalesce(l.candidate_key, nullif(trim(l.order_package), ''), l.ordered_at::varchar) is not null
),

known as (
    select
        check_key,
        count(candidate_key) > 0 as has_candidate,
        count(package) > 0 as has_package,
        count(ordered_at) > 0 as has_time
    from raw."order"
    where file_sha256 is null
    group by check_key
),

first_told as (
    select
        t.check_key,
        arg_min(t.file, t.place) as file,
        any_value(t.vendor) as vendor,
        any_value(t.account) as account,
        any_value(t.subject) as subject,
        any_value(t.check_id) as check_id,
        arg_min(t.candidate_key, t.place) filter (where not coalesce(k.has_candidate, false)) as candidate_key,
        arg_min(t.package, t.place) filter (where not coalesce(k.has_package, false)) as package,
        arg_min(t.ordered_at, t.place) filter (where not coalesce(k.has_time, false)) as ordered_at,
        min(t.loaded_at) as loaded_at,
        arg_min(t.run_id, t.place) as run_id,
        min(t.place) as place
    from told as t
    left join known as k on t.check_key = k.check_key
    group by t.check_key
)

select
    * exclude (place),
    row_number() over (order by place asc nulls last)
    + (select coalesce(max(order_seq), 0) from raw."order") as order_seq
from first_told
where candidate_key is not null or package is not null or ordered_at is not null;

insert into raw."order" by name
select * from new_order
where order_seq > (select coalesce(max(order_seq), 0) from raw."order");

-- Whoever discovers checks has ordered what is shown.
update raw."check" as c set is_announced = true
from staging.account as a, new_order as o
where
    c.is_announced is false and a.is_discovering and c.vendor = a.vendor and c.account = a.account
    and c.check_key = o.check_key;
