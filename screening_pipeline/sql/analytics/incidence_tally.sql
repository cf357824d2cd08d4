-- One row per group, unit, assumption and time since ordering at which checks came under watch or left it.
--
-- grain        what the group is: vendor, package or month
-- vendor       vendor
-- package      what was ordered; null for a whole vendor, or where nobody says
-- month        first day of the local month of ordering, null for whole vendors and packages
-- unit         seconds (calendar) or business_days
-- assumption   earliest (each end came as early as it can have come), middle or latest
-- time         time since ordering, in that unit
-- n_entered    checks that came under watch at that time, later than they were ordered
-- n_events     checks complete at that time
-- n_otherwise  checks canceled, expired or declined at that time
-- n_censored   open checks that were last looked at then
-- @refresh view
with
way as (
    select
        p.assumption,
        p.late_part,
        u.unit
    from (values ('earliest', 0), ('middle', 0.5), ('latest', 1)) as p (assumption, late_part)
    cross join (values ('seconds'), ('business_days')) as u (unit)
),

used as (
    select
        m.*,
        g.is_entered_late and m.is_late and m.is_seen_open as is_entering,
        g.n > 20000 as is_coarse
    from analytics.turnaround_member as m
    inner join analytics.turnaround_group as g
        on
            m.grain = g.grain and m.vendor = g.vendor
            and m.package is not distinct from g.package and m.month is not distinct from g.month
    where m.is_observed and not (g.is_left_out and m.is_late and not m.is_seen_open)
),

-- Of tens of thousands of checks, minutes of a turnaround of days make no figure, and cost most of the time.
timed as (
    select
        u.*,
        w.unit,
        w.assumption,
        case
            when w.unit = 'business_days'
                then u.business_days_earliest + w.late_part * (u.business_days_latest - u.business_days_earliest)
            when u.is_coarse and u.seconds_latest > 86400
                then 300 * round((u.seconds_earliest + w.late_part * (u.seconds_latest - u.seconds_earliest)) / 300)
            else u.seconds_earliest + w.late_part * (u.seconds_latest - u.seconds_earliest)
        end::double as time,
        case
            when w.unit = 'business_days' then u.business_days_entered
            when u.is_coarse then floor(u.seconds_entered / 300) * 300
            else u.seconds_entered
        end::double as entered
    from used as u
    cross join way as w
),

step as (
    select
        t.* exclude (time, outcome),
        unnest([t.outcome, 'entry']) as outcome,
        unnest([t.time, if(t.is_entering, t.entered, null)]) as time
    from timed as t
)

select
    grain,
    vendor,
    package,
    month,
    unit,
    assumption,
    time,
    count(*) filter (where outcome = 'entry') as n_entered,
    count(*) filter (where outcome = 'complete') as n_events,
    count(*) filter (where outcome = 'otherwise') as n_otherwise,
    count(*) filter (where outcome = 'open') as n_censored
from step
where time is not null
group by grain, vendor, package, month, unit, assumption, time
