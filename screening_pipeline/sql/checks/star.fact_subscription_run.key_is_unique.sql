-- A run has one row, by its time, and belongs to a subscription.
select
    r.check_key,
    r.run_at
from star.fact_subscription_run as r
left join star.fact_subscription as s on r.check_key = s.check_key
group by r.check_key, r.run_at
having count(*) > 1 or bool_or(s.check_key is null)
