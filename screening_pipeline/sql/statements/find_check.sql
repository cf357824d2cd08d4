-- Every check of an id, one per account and subject, and when it is asked next.
select
    f.*,
    p.reason as next_pull_reason,
    f.is_terminal and p.check_key is not null as is_in_doubt
from star.fact_check as f
left join ops.pull_plan as p on f.check_key = p.check_key
where
    f.vendor = $vendor and coalesce(f.account = $account, true)
    and (
        $check_id in (f.check_id, f.continues_check_id)
        -- A UUID, in small letters; null where the id is none.
        or $uuid in (lower(f.check_id), lower(f.continues_check_id))
    )
order by f.account asc nulls last, f.subject asc nulls last;
