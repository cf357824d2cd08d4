-- Every answer there ever was with a 2xx status is accounted for exactly once: as changed, unchanged or rejected.
with
answer as (
    select
        response_id,
        reject
    from staging.response
    where http_status between 200 and 299 and channel <> 'push'
),

account as (
    select
        response_id,
        count(*) as row_count,
        count(*) filter (where outcome in ('changed', 'unchanged', 'rejected')) as counted,
        count(*) filter (where outcome = 'rejected') as rejected
    from star.fact_pull
    group by response_id
)

select a.response_id
from answer as a
left join account as c on a.response_id = c.response_id
where
    coalesce(c.row_count, 0) <> 1 or c.counted <> 1
    or (a.reject is not null) <> (c.rejected = 1)
