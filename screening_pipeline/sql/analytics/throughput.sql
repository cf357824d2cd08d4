-- One row per local week and vendor: what was ordered, what ended, and what was open when the week was over.
--
-- week             first day of the local week
-- vendor           vendor
-- ordered          checks ordered in it
-- completed        checks complete in it, as first seen or as the vendor says
-- ended_otherwise  checks canceled, expired or declined in it, as first seen
-- open_at_end      checks ordered and not ended when it was over, or when its data ends
-- @refresh view
with
moved as (
    select
        f.vendor,
        date_trunc('week', f.ordered_on)::date as ordered_week,
        date_trunc('week', f.ended_on)::date as ended_week,
        f.completed_at is not null as is_complete
    from star.fact_check as f
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    where a.is_analyzed and not star.is_ongoing(f.subject) and f.ordered_at is not null
),

counted as (
    select
        vendor,
        ordered_week as week,
        count(*) as ordered,
        0 as completed,
        0 as ended_otherwise
    from moved
    group by vendor, ordered_week
    union all by name
    select
        vendor,
        greatest(ordered_week, ended_week) as week,
        0 as ordered,
        count(*) filter (where is_complete) as completed,
        count(*) filter (where not is_complete) as ended_otherwise
    from moved
    where ended_week is not null
    group by vendor, greatest(ordered_week, ended_week)
),

-- Weeks in which nothing happened are weeks, too.
spanned as (
    select
        vendor,
        unnest(generate_series(min(week)::timestamp, max(week)::timestamp, interval 7 day))::date as week
    from counted
    group by vendor
),

summed as (
    select
        s.week,
        s.vendor,
        coalesce(sum(c.ordered), 0)::bigint as ordered,
        coalesce(sum(c.completed), 0)::bigint as completed,
        coalesce(sum(c.ended_otherwise), 0)::bigint as ended_otherwise
    from spanned as s
    left join counted as c on s.vendor = c.vendor and s.week = c.week
    group by s.week, s.vendor
)

select
    week,
    vendor,
    ordered,
    completed,
    ended_otherwise,
    (sum(ordered - completed - ended_otherwise) over (
        partition by vendor order by week asc nulls last rows unbounded preceding
    ))::bigint as open_at_end
from summed
