-- No answer came later than it is now: under a clock that was ahead it hides what came since.
-- severity: warn
select
    response_id,
    vendor,
    account,
    received_at
from staging.response
-- The plan of an account is made anew every hour, and when the clock was set back.
where received_at > (select max(planned_at) + interval 2 hour from ops.pull_budget)
