-- One row per account: whether its budget of calls can see what is expected to happen.
--
-- vendor                   vendor
-- account                  account
-- planned_at               when the plan was made
-- open_checks              checks that may be asked for
-- due_checks               of them, due when the plan was made
-- requests_per_minute      the budget
-- calls_needed_per_minute  what the plan would use with no limit
-- changes_per_minute       changes expected to happen
-- states_lost_per_day      states expected to come and go between two pulls
-- is_overloaded            the budget cannot see the expected changes, so only the likeliest checks are asked for
-- @refresh base
create table ops.pull_budget (
    vendor varchar,
    account varchar,
    planned_at timestamptz,
    open_checks integer,
    due_checks integer,
    requests_per_minute integer,
    calls_needed_per_minute double,
    changes_per_minute double,
    states_lost_per_day double,
    is_overloaded boolean
)
