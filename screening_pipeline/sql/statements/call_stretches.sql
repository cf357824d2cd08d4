-- Find the instants that part all calls into stretches of `$calls` each.
select received_at::varchar
from (
    select
        received_at,
        row_number() over (order by received_at asc nulls last) as place
    from staging.response
)
where place % $calls = 0
order by received_at asc nulls last;
