-- How far a manifest was read that is read in parts: its last line, how many orders, how many rejects.
select
    coalesce(max(line), 0) as last_line,
    count(*) filter (where not is_reject) as order_count,
    count(*) filter (where is_reject) as reject_count
from (
    select
        line,
        false as is_reject
    from raw."order"
    where file_sha256 = $file_sha256
    union all
    select
        line,
        true as is_reject
    from ops.reject
    where source = 'manifest' and starts_with(reject_id, $reject_prefix)
)
