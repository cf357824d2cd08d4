-- The open checks of `$accounts` as the planner takes them, and which were due at `$now` and not asked since.
-- All of them, or (unless `$is_whole`) those that batches have touched since they were planned.
select
    o.check_key,
    o.vendor,
    o.account,
    o.subject,
    o.package,
    o.lifecycle,
    epoch(o.state_since) as state_since,
    epoch(o.last_pulled_at) as last_pulled_at,
    o.is_push_fed,
    o.is_requested,
    o.check_id,
    epoch(o.retry_at) as retry_at,
    epoch(o.decision_since) as decision_since,
    coalesce(
        p.next_pull_at <= $now::timestamptz and (o.last_asked_at < p.next_pull_at) is not false, false
    ) as is_overdue
from staging.open_check as o
left join ops.pull_plan as p on o.check_key = p.check_key
where
    (o.vendor, o.account) in ($accounts)
    and ($is_whole or o.check_key in (select check_key from staging.unplanned_check))
order by o.check_key asc nulls last;
