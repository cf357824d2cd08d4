-- Name the checks that are recomputed after the batch, and the calls that are judged anew.
create or replace temp table settling as
from staging.unsettled
where settles_at <= (
    select max(s.value)::timestamptz from staging.setting as s
    where s.name = 'settled_at'
);

create or replace temp table touched as
with
named as (
    select check_key from batch_touched
    union
    select check_key from new_order
    where check_key is not null
    union
    select check_key from settling
)

select check_key from named
union
-- What led to a check is part of its history.
select k.check_key
from staging.continuation as k
inner join named as n on k.continues_key = n.check_key;

-- A late answer may change what later calls brought: then all that told of its check is judged again.
create or replace temp table judged_again as
select r.response_id
from staging.response as r
where r.check_key in (select check_key from batch_touched where is_late)
union
select o.response_id
from staging.observation as o
where o.channel = 'feed' and o.check_key in (select check_key from batch_touched where is_late)
union
select response_id from settling;

create or replace temp table recounted as
select
    *,
    false as is_known
from batch_response
union all
select
    r.response_id,
    r.received_at,
    true as is_known
from staging.response as r
where
    r.response_id in (select response_id from judged_again)
    and r.response_id not in (select response_id from batch_response);

drop table settling;

drop table judged_again;
