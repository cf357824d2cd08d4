-- Tell how many checks of an account wait, where only some of them were planned anew.
update ops.pull_budget set planned_at = $now::timestamptz, open_checks = $open, due_checks = $due
where vendor = $vendor and account = $account;
