-- Every new answer with a 2xx status is accounted for once: as changed, unchanged or rejected; of all, as many are.
-- every run
with
-- New is what no snapshot shows yet; the answers of all time are tried one by one once a day.
answer as (
    select
        r.response_id,
        r.reject
    from staging.response as r
    semi join staging.unpublished_call as u on r.response_id = u.response_id and r.received_at = u.received_at
    where r.http_status between 200 and 299 and r.channel <> 'push'
),

account as (
    select
        p.response_id,
        count(*) as row_count,
        count(*) filter (where p.outcome in ('changed', 'unchanged', 'rejected')) as counted,
        count(*) filter (where p.outcome = 'rejected') as rejected
    from star.fact_pull as p
    semi join staging.unpublished_call as u on p.response_id = u.response_id and p.received_at = u.received_at
    group by p.response_id
),

answered as (
    select
        count(*) as answers,
        count(reject) as rejected
    from staging.response
    where http_status between 200 and 299 and channel <> 'push'
),

accounted as (
    select
        count(*) filter (where outcome in ('changed', 'unchanged', 'rejected')) as answers,
        count(*) filter (where outcome = 'rejected') as rejected
    from star.fact_pull
    where http_status between 200 and 299
)

select a.response_id
from answer as a
left join account as c on a.response_id = c.response_id
where
    coalesce(c.row_count, 0) <> 1 or c.counted <> 1
    or (a.reject is not null) <> (c.rejected = 1)
union all
select 'one of those before' as response_id
from answered as a
cross join accounted as c
where a.answers <> c.answers or a.rejected <> c.rejected
