-- Make one check of those whose ids are one UUID in two spellings, as versions took them that told them apart.
create or replace temp table united_check as
select
    check_key,
    arg_min(check_id, (is_announced is false, check_key)) over same_id as check_id,
    min(check_key) over same_id as united_key,
    min(first_seen_at) over same_id as first_seen_at,
    bool_or(is_announced) over same_id as is_announced,
    staging.id_hash(vendor, account, subject, check_id) as id_hash
from raw."check"
where staging.is_uuid(check_id)
window same_id as (partition by vendor, account, subject, lower(check_id));

update raw."check" as c set
    check_id = u.check_id,
    id_hash = u.id_hash,
    first_seen_at = u.first_seen_at,
    is_announced = u.is_announced
from united_check as u
where c.check_key = u.check_key;

update raw."order" as o set check_key = u.united_key, check_id = u.check_id
from united_check as u
where o.check_key = u.check_key;

update staging.continuation as k set check_key = u.united_key
from united_check as u
where k.check_key = u.check_key;

update staging.continuation as k set continues_key = u.united_key
from united_check as u
where k.continues_key = u.check_key;

delete from raw."check"
where check_key in (select u.check_key from united_check as u where u.check_key <> u.united_key);

drop table united_check;
