-- One row per vendor and kind of part: how long such parts take, from the order of their check.
--
-- vendor                      vendor
-- subject                     what kind of thing the parts belong to
-- check_type                  the vendor's type of part, or the part's name where the vendor has no types
-- n                           completed parts in the figures
-- n_open                      parts not ended, of open checks
-- n_excluded                  parts first seen complete, complete before the order or not at last, or of no order time
-- p50                         median calendar seconds, each completion at its first observation
-- p75                         75th percentile of the same
-- p90                         90th percentile of the same
-- p95                         95th percentile of the same
-- p50_earliest                median calendar seconds if each was complete at the earliest it can have been
-- p75_earliest                75th percentile of the same
-- p90_earliest                90th percentile of the same
-- p95_earliest                95th percentile of the same
-- p50_business_days           median business days
-- p75_business_days           75th percentile of the same
-- p90_business_days           90th percentile of the same
-- p95_business_days           95th percentile of the same
-- p50_business_days_earliest  median business days if each was complete at the earliest it can have been
-- p75_business_days_earliest  75th percentile of the same
-- p90_business_days_earliest  90th percentile of the same
-- p95_business_days_earliest  95th percentile of the same
-- @refresh view
with
-- Whatever showed the check before, showed the part not complete: an answer, or a change that anything told. A dated
-- message shows it as it was at its date, however late it comes.
answered as (
    select
        check_key,
        received_at as observed_at,
        received_at as seen_at
    from star.fact_pull
    where outcome in ('changed', 'unchanged') and check_key is not null
    union all
    select
        check_key,
        observed_at,
        if(channel = 'pull', observed_at, least(occurred_at, observed_at)) as seen_at
    from star.fact_check_event
),

part as (
    select
        p.check_key,
        p.component_id,
        p.vendor,
        p.account,
        p.subject,
        p.check_type_key,
        -- One that fell back has not been completed.
        if(p.lifecycle = 'completed', p.completed_at, null) as completed_at,
        f.ordered_at,
        f.is_terminal is not true and p.lifecycle not in ('completed', 'canceled', 'expired', 'declined') as is_open,
        max(a.seen_at) as seen_before_at
    from star.fact_check_component as p
    inner join star.fact_check as f on p.check_key = f.check_key
    left join answered as a on p.check_key = a.check_key and p.completed_at > a.observed_at
    group by all
),

placed as (
    select
        p.*,
        h.calendar,
        h.timezone,
        coalesce(
            p.completed_at >= p.ordered_at and p.seen_before_at is not null,
            false
        ) as is_included,
        greatest(p.ordered_at, p.seen_before_at) as completed_at_earliest
    from part as p
    inner join analytics.account_horizon as h on p.vendor = h.vendor and p.account = h.account
),

timed as (
    select
        p.vendor,
        p.subject,
        p.check_type_key,
        p.is_open,
        p.is_included,
        case when p.is_included then date_sub('second', p.ordered_at, p.completed_at) end as seconds,
        case
            when p.is_included then date_sub('second', p.ordered_at, p.completed_at_earliest)
        end as seconds_earliest,
        case
            when p.is_included then end_day.business_day_number - order_day.business_day_number
        end as business_days,
        case
            when p.is_included then early_day.business_day_number - order_day.business_day_number
        end as business_days_earliest
    from placed as p
    left join star.dim_calendar as order_day
        on p.calendar = order_day.calendar and star.local_time(p.timezone, p.ordered_at)::date = order_day.date
    left join star.dim_calendar as end_day
        on p.calendar = end_day.calendar and star.local_time(p.timezone, p.completed_at)::date = end_day.date
    left join star.dim_calendar as early_day
        on
            p.calendar = early_day.calendar
            and star.local_time(p.timezone, p.completed_at_earliest)::date = early_day.date
),

figure as (
    select
        vendor,
        subject,
        check_type_key,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]) as late,
        quantile_cont(seconds_earliest, [0.5, 0.75, 0.9, 0.95]) as early,
        quantile_cont(business_days, [0.5, 0.75, 0.9, 0.95]) as late_days,
        quantile_cont(business_days_earliest, [0.5, 0.75, 0.9, 0.95]) as early_days
    from timed
    group by vendor, subject, check_type_key
)

select
    f.vendor,
    f.subject,
    t.check_type,
    f.n,
    f.n_open,
    f.n_excluded,
    f.late[1] as p50,
    f.late[2] as p75,
    f.late[3] as p90,
    f.late[4] as p95,
    f.early[1] as p50_earliest,
    f.early[2] as p75_earliest,
    f.early[3] as p90_earliest,
    f.early[4] as p95_earliest,
    f.late_days[1] as p50_business_days,
    f.late_days[2] as p75_business_days,
    f.late_days[3] as p90_business_days,
    f.late_days[4] as p95_business_days,
    f.early_days[1] as p50_business_days_earliest,
    f.early_days[2] as p75_business_days_earliest,
    f.early_days[3] as p90_business_days_earliest,
    f.early_days[4] as p95_business_days_earliest
from figure as f
left join star.dim_check_type as t on f.check_type_key = t.check_type_key
