-- Show the plan of `$accounts` at their checks: at all, or (unless `$is_whole`) at those that were planned anew.
update star.fact_check as f set next_pull_at = p.next_pull_at
from (
    select
        o.check_key,
        p.next_pull_at
    from staging.open_check as o
    left join ops.pull_plan as p on o.check_key = p.check_key
    where
        (o.vendor, o.account) in ($accounts)
        and ($is_whole or o.check_key in (select check_key from staging.unplanned_check))
) as p
where f.check_key = p.check_key and f.is_terminal is not true and f.next_pull_at is distinct from p.next_pull_at;
