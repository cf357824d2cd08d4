-- One row per open check that is needed by a day: the chance that it is complete before that.
--
-- check_key       the check
-- vendor          vendor
-- account         account
-- check_id        the vendor's id, as text
-- package         what was ordered
-- cost_center     cost center of the order
-- lifecycle       where the check stands
-- next_actor      who has to act
-- needed_by       day by which it is needed, such as the first day at work
-- made_at         the instant of the forecast, made from what was known then
-- p50             the instant by which it has ended with a chance of 50 in 100
-- p90             the same of 90 in 100
-- chance_in_time  the chance that it is complete before that day begins where the account is
-- is_at_risk      whether that is less than 80 in 100
-- @refresh view
select
    e.check_key,
    e.vendor,
    e.account,
    e.check_id,
    e.package,
    f.cost_center,
    f.lifecycle,
    f.next_actor,
    f.needed_by,
    e.made_at,
    e.p50,
    e.p90,
    e.chance_in_time,
    e.chance_in_time < 0.8 as is_at_risk
from analytics.open_check_eta as e
inner join star.fact_check as f on e.check_key = f.check_key
where f.needed_by is not null and e.chance_in_time is not null
