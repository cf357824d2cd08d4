-- One row per open check: how old it is and who holds it, as of the latest instant the warehouse knows.
--
-- check_key             the check
-- vendor                vendor
-- account               account
-- subject               what kind of thing the vendor checks
-- check_id              the vendor's id, as text
-- package               what was ordered
-- lifecycle             where the check stands
-- next_actor            who has to act
-- adjudication          the client's decision
-- dispute               none, open, closed or unknown
-- ordered_at            when it was ordered
-- last_observed_at      the last message that says how it stands, null if there was none
-- as_of                 the instant that ages are counted to
-- age_seconds           calendar seconds since it was ordered, or first observed where that is unknown
-- age_business_days     business days since then
-- is_age_known          whether it is known when it was ordered; otherwise it is at least so old
-- held_since            since when its state is known to be what it is
-- held_seconds          calendar seconds since then
-- held_business_days    business days since then
-- unseen_seconds        calendar seconds since its vendor last told how it stands
-- unseen_business_days  business days since then
-- is_stale              whether its state has lasted longer than such a state should
-- next_pull_at          when it is asked next
-- @refresh view
with
age as (
    select
        f.*,
        h.calendar,
        h.timezone,
        h.latest_at as as_of,
        coalesce(f.ordered_at, f.first_observed_at) as born_at,
        coalesce(f.last_changed_at, f.ordered_at) as held_since
    from star.fact_check as f
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    where f.is_terminal is not true and not star.is_ongoing(f.subject)
),

counted as (
    select
        a.*,
        as_of_day.business_day_number - born_day.business_day_number as age_business_days,
        as_of_day.business_day_number - held_day.business_day_number as held_business_days,
        as_of_day.business_day_number - seen_day.business_day_number as unseen_business_days
    from age as a
    left join star.dim_calendar as as_of_day
        on a.calendar = as_of_day.calendar and star.local_time(a.timezone, a.as_of)::date = as_of_day.date
    left join star.dim_calendar as born_day
        on a.calendar = born_day.calendar and star.local_time(a.timezone, a.born_at)::date = born_day.date
    left join star.dim_calendar as held_day
        on a.calendar = held_day.calendar and star.local_time(a.timezone, a.held_since)::date = held_day.date
    left join star.dim_calendar as seen_day
        on a.calendar = seen_day.calendar and star.local_time(a.timezone, a.last_observed_at)::date = seen_day.date
)

select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    c.package,
    c.lifecycle,
    c.next_actor,
    c.adjudication,
    c.dispute,
    c.ordered_at,
    c.last_observed_at,
    c.as_of,
    date_sub('second', c.born_at, c.as_of) as age_seconds,
    c.age_business_days,
    c.ordered_at is not null as is_age_known,
    c.held_since,
    date_sub('second', c.held_since, c.as_of) as held_seconds,
    c.held_business_days,
    date_sub('second', c.last_observed_at, c.as_of) as unseen_seconds,
    c.unseen_business_days,
    coalesce(
        date_sub('second', c.held_since, c.as_of) > t.days * 86400,
        c.held_business_days > t.business_days,
        false
    ) as is_stale,
    c.next_pull_at
from counted as c
left join analytics.stale_after as t on c.vendor = t.vendor and c.lifecycle = t.lifecycle
