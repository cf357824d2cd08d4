-- One row per check being recomputed that has a turnaround: from when until when its clock ran, and on which days.
--
-- @refresh work
select
    f.check_key,
    f.vendor,
    f.account,
    f.ordered_at,
    a.calendar,
    a.timezone,
    f.completed_at is null and f.closed_at is null as is_running,
    coalesce(f.completed_at, f.closed_at, greatest(f.last_observed_at, f.ordered_at)) as ended_at,
    coalesce(f.completed_at_earliest, f.closed_at, greatest(f.last_observed_at, f.ordered_at)) as ended_at_earliest,
    f.ordered_day,
    if(is_running, f.ended_day_earliest, f.ended_day) as ended_day,
    f.ended_day_earliest
from star.fact_check as f
semi join concerned as n on f.check_key = n.check_key
left join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where
    not star.is_ongoing(f.subject) and f.ordered_at is not null
    and coalesce(f.completed_at, f.closed_at, greatest(f.last_observed_at, f.ordered_at)) >= f.ordered_at
