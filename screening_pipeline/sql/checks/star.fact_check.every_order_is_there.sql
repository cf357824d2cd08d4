-- What an order says about its check is what the check says: the first order of a file that tells it wins.
select
    o.check_key,
    o.order_seq
from (
    select
        r.* replace (coalesce(k.check_key, r.check_key) as check_key),
        row_number() over (
            partition by coalesce(k.check_key, r.check_key)
            order by r.file_sha256 is null asc nulls last, r.order_seq asc nulls last
        ) as place
    from raw."order" as r
    left join staging.continuation as k on r.check_key = k.continues_key
) as o
left join star.fact_check as f on o.check_key = f.check_key
where
    f.check_key is null
    or (o.place = 1 and o.package is not null and f.package is distinct from o.package)
    or (
        o.place = 1 and o.file_sha256 is not null and o.ordered_at is not null
        and f.ordered_at is distinct from o.ordered_at
    )
    or (o.place = 1 and o.candidate_key is not null and f.candidate_key is distinct from o.candidate_key)
