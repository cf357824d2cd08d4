-- Every answer or push that was refused is in ops.reject once, with the same reason, and no other is.
with
refused as (
    select
        response_id,
        reject
    from staging.response
    where reject is not null
),

listed as (
    select
        response_id,
        any_value(reason) as reason,
        count(*) as row_count
    from ops.reject
    where source in ('response', 'push')
    group by response_id
)

select coalesce(r.response_id, o.response_id) as response_id
from refused as r
full join listed as o on r.response_id = o.response_id
where r.reject is distinct from o.reason or o.row_count <> 1
