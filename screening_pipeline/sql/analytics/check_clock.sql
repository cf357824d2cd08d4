-- One row per check that turnaround figures look at: how long it took, or has been open so far.
--
-- check_key                        the check
-- vendor                           vendor
-- account                          account
-- subject                          what kind of thing the vendor checks; never a subscription
-- check_id                         the vendor's id, as text
-- package                          what was ordered
-- package_name                     the vendor's name of it, where it lists its packages
-- country                          country of the order
-- region                           region of the order
-- cost_center                      cost center of the order
-- result                           clear, consider, referred, none or unknown
-- ordered_on                       local date on which it was ordered
-- ordered_month                    first day of the local month in which it was ordered
-- is_open                          whether something is still expected
-- is_included                      whether it is closed and has a turnaround
-- excluded_reason                  why a closed one has no part in the figures
-- ordered_at                       when it was ordered
-- screening_done_at                when the vendor's part was over: complete, or first seen waiting for a review
-- ended_at                         when its clock stopped, or the last known instant while it runs
-- ended_at_earliest                the earliest it can have stopped; while it runs, when it was last seen to
-- seconds                          calendar seconds from ordered to complete, null unless included
-- seconds_earliest                 the same to the earliest it can have been complete
-- business_days                    business days from ordered to complete, null unless included
-- business_days_earliest           the same to the earliest it can have been complete
-- observed_seconds                 calendar seconds that it took, or has been open; null if unknown
-- observed_seconds_earliest        the same to the earliest it can have been complete
-- observed_business_days           business days that it took, or has been open
-- observed_business_days_earliest  the same to the earliest it can have been complete
-- ordered_day                      running number of the business day on which it was ordered
-- ended_day                        running number of the business day on which its clock stopped
-- ended_day_earliest               the same of the earliest it can have stopped
-- is_complete                      whether it took that long (true), or is only known to take longer (false)
-- @refresh view
with
placed as (
    select
        f.* exclude (ended_day, ended_day_earliest),
        k.package_name,
        f.is_terminal is not true as is_open,
        (
            f.is_terminal is true
            and f.turnaround_excluded_reason is null
            and f.turnaround_seconds is not null
        ) as is_included,
        -- First seen complete without a vendor's time: nobody knows since when.
        (
            f.completed_at = f.first_observed_at and coalesce(f.completed_at_source <> 'vendor', true)
        ) as is_left_censored,
        coalesce(f.completed_at, f.closed_at) is null as is_running,
        -- An open check may have been complete since it was last seen open; one never seen, since it was ordered.
        greatest(f.last_observed_at, f.ordered_at) <= h.known_at as is_last_look_known,
        coalesce(f.completed_at, f.closed_at, h.known_at) as ended_at,
        coalesce(
            f.completed_at_earliest, f.closed_at,
            if(h.known_at is null, null, least(h.known_at, greatest(f.last_observed_at, f.ordered_at)))
        ) as ended_at_earliest,
        if(is_running, h.known_day, f.ended_day) as ended_day,
        if(
            coalesce(f.completed_at_earliest, f.closed_at) is not null or is_last_look_known,
            f.ended_day_earliest, h.known_day
        ) as ended_day_earliest
    from star.fact_check as f
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    left join star.dim_package as k on f.package_key = k.package_key
    where not star.is_ongoing(f.subject)
),

timed as (
    select
        *,
        date_sub('second', ordered_at, ended_at) as elapsed_seconds,
        date_sub('second', ordered_at, ended_at_earliest) as elapsed_seconds_earliest,
        -- An open check that is complete already waits for something else: its clock has stopped.
        (
            is_included
            or (is_open and is_left_censored is not true and ended_at >= ordered_at)
        ) as is_observed
    from placed
)

select
    check_key,
    vendor,
    account,
    subject,
    check_id,
    package,
    package_name,
    country,
    region,
    cost_center,
    result,
    ordered_on,
    date_trunc('month', ordered_on)::date as ordered_month,
    is_open,
    is_included,
    case when not is_open and not is_included then turnaround_excluded_reason end as excluded_reason,
    ordered_at,
    screening_done_at,
    ended_at,
    ended_at_earliest,
    case when is_included then turnaround_seconds end as seconds,
    case when is_included then turnaround_seconds_earliest end as seconds_earliest,
    case when is_included then turnaround_business_days end as business_days,
    case when is_included then ended_day_earliest - ordered_day end as business_days_earliest,
    case when is_observed then elapsed_seconds end as observed_seconds,
    case when is_observed then elapsed_seconds_earliest end as observed_seconds_earliest,
    case when is_observed then ended_day - ordered_day end as observed_business_days,
    case when is_observed then ended_day_earliest - ordered_day end as observed_business_days_earliest,
    ordered_day,
    ended_day,
    ended_day_earliest,
    case when is_observed then completed_at is not null end as is_complete
from timed
