-- One row per ordered check that can have a turnaround: how long it took at least and at most, or was followed.
--
-- check_key               the check
-- vendor                  vendor
-- account                 account
-- package                 what was ordered
-- ordered_month           first day of the local month in which it was ordered
-- outcome                 complete, otherwise (canceled, expired or declined) or open
-- is_observed             whether the vendor ever told how it stands
-- is_seen_open            whether it was ever seen before it ended; otherwise it had ended when first looked at
-- is_dated                whether the vendor says when it was complete
-- seconds_entered         calendar seconds from ordered to the first look at it, null where there was none
-- seconds_earliest        calendar seconds from ordered to its end at the earliest, or to the last look
-- seconds_latest          the same to its end at the latest
-- business_days_entered   business days from ordered to the first look, null where there was none
-- business_days_earliest  business days from ordered to its end at the earliest, or to the last look
-- business_days_latest    the same to its end at the latest
-- @refresh check_key
with
placed as (
    select
        f.check_key,
        f.vendor,
        f.account,
        f.package,
        f.ordered_at,
        f.ordered_on,
        f.ordered_day,
        a.calendar,
        a.timezone,
        f.first_observed_at is not null as is_observed,
        coalesce(f.completed_at_source = 'vendor', false) as is_dated,
        case
            when f.completed_at is not null then 'complete'
            when f.is_terminal then 'otherwise'
            else 'open'
        end as outcome,
        if(f.first_observed_at is not null, greatest(f.first_observed_at, f.ordered_at), null) as entered_at,
        coalesce(f.completed_at, f.closed_at, greatest(f.last_observed_at, f.ordered_at)) as ended_at,
        if(coalesce(f.completed_at, f.closed_at) is null, f.ended_day_earliest, f.ended_day) as ended_day,
        -- Whose end nothing bounds from below can have ended as soon as it was ordered.
        case
            when f.completed_at is not null then coalesce(f.completed_at_earliest, f.ordered_at)
            when f.is_terminal then coalesce(f.closed_at_earliest, f.ordered_at)
            else greatest(f.last_observed_at, f.ordered_at)
        end as ended_at_earliest
    from star.fact_check as f
    semi join concerned as c on f.check_key = c.check_key
    left join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    where
        not star.is_ongoing(f.subject)
        and f.ordered_at is not null
        -- What is over when it is ordered has a wrong time, and nobody knows which.
        and coalesce(date_sub('second', f.ordered_at, coalesce(f.completed_at, f.closed_at)) > 0, true)
)

select
    p.check_key,
    p.vendor,
    p.account,
    p.package,
    date_trunc('month', p.ordered_on)::date as ordered_month,
    p.outcome,
    p.is_observed,
    p.outcome = 'open' or p.entered_at < p.ended_at as is_seen_open,
    p.is_dated,
    date_sub('second', p.ordered_at, p.entered_at) as seconds_entered,
    greatest(0, date_sub('second', p.ordered_at, p.ended_at_earliest)) as seconds_earliest,
    date_sub('second', p.ordered_at, p.ended_at) as seconds_latest,
    enter_day.business_day_number - p.ordered_day as business_days_entered,
    early_day.business_day_number - p.ordered_day as business_days_earliest,
    p.ended_day - p.ordered_day as business_days_latest
from placed as p
left join star.dim_calendar as enter_day
    on p.calendar = enter_day.calendar and star.local_time(p.timezone, p.entered_at)::date = enter_day.date
left join star.dim_calendar as early_day
    on p.calendar = early_day.calendar and star.local_time(p.timezone, p.ended_at_earliest)::date = early_day.date
