-- The open checks of `$accounts`, as the planner takes them.
select
    check_key,
    vendor,
    account,
    subject,
    package,
    lifecycle,
    epoch(ordered_at),
    epoch(state_since),
    epoch(last_pulled_at),
    is_push_fed,
    is_requested,
    check_id,
    epoch(retry_at)
from staging.open_check
where (vendor, account) in ($accounts)
order by check_key;
