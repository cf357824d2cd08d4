-- Tell how many checks of accounts wait, where only some of them were planned anew; lists in the same order.
update ops.pull_budget as b set planned_at = $now::timestamptz, open_checks = n.open_checks, due_checks = n.due_checks
from (
    select
        unnest($vendors) as vendor,
        unnest($accounts) as account,
        unnest($open) as open_checks,
        unnest($due) as due_checks
) as n
where b.vendor = n.vendor and b.account = n.account;
