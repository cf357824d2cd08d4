-- Every account's budget of calls can see the changes that are expected of its open checks.
-- every run
-- severity: warn
-- fix: Raise requests_per_minute as far as the vendor allows, or turn on pushes or the feed for the account.
select
    vendor,
    account,
    open_checks,
    requests_per_minute,
    states_lost_per_day
from ops.pull_budget
where is_overloaded
