-- One row per open check: when it will probably end.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- check_id             the vendor's id, as text
-- package              what was ordered
-- lifecycle            where the check stands
-- made_at              the instant of the forecast, made from what was known then
-- p10                  the instant by which it has ended with a chance of 10 in 100
-- p50                  the same of 50 in 100
-- p90                  the same of 90 in 100
-- days_p10             days from then until p10
-- days_p50             days from then until p50
-- days_p90             days from then until p90
-- is_probably_over     whether it had more likely than not ended already, unseen
-- chance_complete      the chance that it ends complete
-- due_at               the instant from which on its promise is broken, null where none holds
-- chance_late          the chance that its promise breaks
-- needed_by            day by which it is needed, null where none was told
-- chance_in_time       the chance that it is complete before that day
-- vendor_estimated_on  the day on which the vendor itself thinks that it will be complete, as last told; else null
-- @refresh view
select
    e.check_key,
    f.vendor,
    f.account,
    f.check_id,
    f.package,
    f.lifecycle,
    e.made_at,
    e.p10,
    e.p50,
    e.p90,
    greatest(0, epoch(e.p10) - epoch(e.made_at)) / 86400 as days_p10,
    greatest(0, epoch(e.p50) - epoch(e.made_at)) / 86400 as days_p50,
    greatest(0, epoch(e.p90) - epoch(e.made_at)) / 86400 as days_p90,
    e.chance_over > 0.5 as is_probably_over,
    e.chance_complete,
    d.due_at,
    e.chance_late,
    f.needed_by,
    e.chance_in_time,
    f.vendor_estimated_on
from ops.check_eta as e
inner join star.fact_check as f on e.check_key = f.check_key
inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
left join analytics.open_check_due as d on e.check_key = d.check_key
where a.is_analyzed and f.is_terminal is not true and f.completed_at is null
