-- Name the calls after `$since` and up to `$until` to be judged, of which none was.
create or replace temp table recounted as
select
    response_id,
    received_at,
    false as is_known
from staging.response
where received_at > $since and received_at <= $until;
