-- Number the checks of `new_order` that are new, in the order of files and lines, and append it to `raw.order`.
create or replace temp table placed_order as
select
    *,
    staging.id_hash(vendor, account, subject, check_id) as id_hash,
    row_number() over (order by file asc nulls last, line asc nulls last) as place
from new_order;

insert into raw."check"
select
    row_number() over (order by min(n.place) asc nulls last) + (select coalesce(max(check_key), 0) from raw."check"),
    n.vendor,
    n.account,
    n.subject,
    min_by(n.check_id, n.place),
    n.id_hash,
    min(n.loaded_at),
    true
from placed_order as n
where not exists (select 1 from raw."check" as c where n.id_hash = c.id_hash)
group by n.vendor, n.account, n.subject, n.id_hash;

create or replace temp table new_order as
select
    o.* exclude (id_hash, place) replace (
        c.check_key as check_key,
        c.check_id as check_id,
        o.place + (select coalesce(max(order_seq), 0) from raw."order") as order_seq
    )
from placed_order as o
inner join raw."check" as c on o.id_hash = c.id_hash;

drop table placed_order;

insert into raw."order" by name
select * from new_order;

-- An order for a check that only messages had told of: it is a stub no longer.
update raw."check" set is_announced = true
where is_announced is false and check_key in (select check_key from new_order);
