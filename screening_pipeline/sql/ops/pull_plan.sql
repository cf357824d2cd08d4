-- One row per open check: when it is asked next, and why then.
--
-- check_key     the check
-- vendor        vendor
-- account       account
-- next_pull_at  when
-- reason        why then, for a person to read
-- planned_at    when that was decided
-- @refresh base
create table ops.pull_plan (
    check_key bigint,
    vendor varchar,
    account varchar,
    next_pull_at timestamptz,
    reason varchar,
    planned_at timestamptz
)
