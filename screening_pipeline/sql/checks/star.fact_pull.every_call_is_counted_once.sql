-- Every call has one row, whatever became of it, and every row is a call.
select response_id
from (
    select
        response_id,
        1 as called,
        0 as counted
    from staging.response
    where channel <> 'push'
    union all
    select
        response_id,
        0 as called,
        1 as counted
    from star.fact_pull
)
group by response_id
having sum(called) <> 1 or sum(counted) <> 1
