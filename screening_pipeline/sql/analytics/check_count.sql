-- One row per check that is no subscription: whether it is open, and whether it has a part in turnaround figures.
--
-- check_key      the check
-- vendor         vendor
-- account        account
-- package        what was ordered
-- ordered_month  first day of the local month in which it was ordered
-- is_open        whether something is still expected
-- is_counted     whether it is closed, complete and has an order time that can be right
-- @refresh view
select
    f.check_key,
    f.vendor,
    f.account,
    f.package,
    date_trunc('month', f.ordered_on)::date as ordered_month,
    f.is_terminal is not true as is_open,
    (
        f.is_terminal is true and f.completed_at is not null
        and coalesce(f.turnaround_excluded_reason, 'left_censored') = 'left_censored'
        and f.ordered_at is not null
    ) as is_counted
from star.fact_check as f
inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where a.is_analyzed and not star.is_ongoing(f.subject)
