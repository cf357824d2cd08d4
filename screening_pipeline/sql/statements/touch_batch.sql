-- Name the checks that are recomputed after the batch, and the calls that are judged anew.
create or replace temp table touched as
select check_key from batch_touched
union
select check_key from new_order
where check_key is not null;

-- A late answer may change what later calls brought: then all calls about its check are judged again.
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
    r.check_key in (select check_key from batch_touched where is_late)
    and r.response_id not in (select response_id from batch_response);
