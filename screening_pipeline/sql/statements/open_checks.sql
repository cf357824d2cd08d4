-- The open checks of `$accounts`, as the planner takes them, and which of them were due at `$now` and not asked since.
select
    o.check_key,
    o.vendor,
    o.account,
    o.subject,
    o.package,
    o.lifecycle,
    epoch(o.ordered_at),
    epoch(o.state_since),
    epoch(o.last_pulled_at),
    o.is_push_fed,
    o.is_requested,
    o.check_id,
    epoch(o.retry_at),
    epoch(o.decision_since),
    coalesce(
        p.next_pull_at <= $now::timestamptz and (o.last_asked_at < p.next_pull_at) is not false, false
    )
from staging.open_check as o
left join ops.pull_plan as p on o.check_key = p.check_key
where (o.vendor, o.account) in ($accounts)
order by o.check_key asc nulls last;
