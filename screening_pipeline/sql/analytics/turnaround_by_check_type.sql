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
part as (
    select
        p.vendor,
        p.subject,
        p.check_type_key,
        p.completed_day,
        f.ordered_at,
        f.ordered_day,
        p.completed_at,
        f.is_terminal is not true and p.lifecycle not in ('completed', 'canceled', 'expired', 'declined') as is_open,
        -- One that fell back has not been completed.
        coalesce(
            p.lifecycle = 'completed' and p.completed_at >= f.ordered_at and p.seen_before_at is not null, false
        ) as is_included,
        greatest(f.ordered_at, p.seen_before_at) as completed_at_earliest,
        if(p.seen_before_at > f.ordered_at, p.seen_before_day, f.ordered_day) as completed_day_earliest
    from star.fact_check_component as p
    inner join star.fact_check as f on p.check_key = f.check_key
    inner join star.dim_account as a on p.vendor = a.vendor and p.account = a.account
    where a.is_analyzed
),

figure as (
    select
        vendor,
        subject,
        check_type_key,
        count(*) filter (where is_included) as n,
        count(*) filter (where is_open) as n_open,
        count(*) filter (where not is_open and not is_included) as n_excluded,
        quantile_cont(date_sub('second', ordered_at, completed_at), [0.5, 0.75, 0.9, 0.95]) filter (
            where is_included
        ) as late,
        quantile_cont(date_sub('second', ordered_at, completed_at_earliest), [0.5, 0.75, 0.9, 0.95]) filter (
            where is_included
        ) as early,
        quantile_cont(completed_day - ordered_day, [0.5, 0.75, 0.9, 0.95]) filter (
            where is_included
        ) as late_days,
        quantile_cont(completed_day_earliest - ordered_day, [0.5, 0.75, 0.9, 0.95]) filter (
            where is_included
        ) as early_days
    from part
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
