-- One row per check that was opened again after it had ended: by what, and for how long.
--
-- check_key                 the check
-- vendor                    vendor
-- account                   account
-- subject                   what kind of thing the vendor checks
-- check_id                  the vendor's id, as text
-- package                   what was ordered
-- reopened_count            how often it was opened again
-- completed_at              when its screening was first complete; kept when it opens again
-- reopened_at               when it was last opened again
-- reopened_from             the lifecycle it had ended in before that
-- reopened_to               the lifecycle it was opened to
-- is_disputed               whether a dispute opened it
-- channel                   pull, feed or push: how that became known
-- lifecycle                 where the check stands now
-- is_open                   whether something is still expected
-- ended_for_seconds         calendar seconds for which it had been complete, null where it never was
-- ended_for_business_days   business days for which it had been complete
-- open_again_seconds        calendar seconds open since, to its end or the latest instant the warehouse knows
-- open_again_business_days  business days open since
-- @refresh view
with
followed as (
    select
        check_key,
        event_seq,
        previous_lifecycle,
        lifecycle,
        dispute,
        channel,
        -- H6: an invitation that expired was renewed if the order completes after all.
        coalesce(lag(is_terminal) over sequence, false) and (
            not is_terminal
            or (lifecycle = 'completed' and coalesce(lag(lifecycle_reason) over sequence = 'invitation_expired', false))
        ) as is_reopening
    from star.fact_check_event
    window sequence as (partition by check_key order by event_seq asc nulls last)
),

reopening as (
    select *
    from followed
    where is_reopening
    qualify row_number() over (partition by check_key order by event_seq desc nulls last) = 1
),

placed as (
    select
        f.*,
        r.previous_lifecycle as reopened_from,
        r.lifecycle as reopened_to,
        r.dispute = 'open' as is_disputed,
        r.channel,
        h.calendar,
        h.timezone,
        coalesce(f.closed_at, h.latest_at) as until_at,
        -- What ended otherwise may be complete since: that was not before it was opened again.
        case when f.completed_at < f.reopened_at then f.completed_at end as complete_since
    from star.fact_check as f
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    inner join reopening as r on f.check_key = r.check_key
)

select
    p.check_key,
    p.vendor,
    p.account,
    p.subject,
    p.check_id,
    p.package,
    p.reopened_count,
    p.completed_at,
    p.reopened_at,
    p.reopened_from,
    p.reopened_to,
    p.is_disputed,
    p.channel,
    p.lifecycle,
    p.is_terminal is not true as is_open,
    date_sub('second', p.complete_since, p.reopened_at) as ended_for_seconds,
    reopened_day.business_day_number - done_day.business_day_number as ended_for_business_days,
    date_sub('second', p.reopened_at, p.until_at) as open_again_seconds,
    until_day.business_day_number - reopened_day.business_day_number as open_again_business_days
from placed as p
left join star.dim_calendar as done_day
    on p.calendar = done_day.calendar and star.local_time(p.timezone, p.complete_since)::date = done_day.date
left join star.dim_calendar as reopened_day
    on p.calendar = reopened_day.calendar and star.local_time(p.timezone, p.reopened_at)::date = reopened_day.date
left join star.dim_calendar as until_day
    on p.calendar = until_day.calendar and star.local_time(p.timezone, p.until_at)::date = until_day.date
