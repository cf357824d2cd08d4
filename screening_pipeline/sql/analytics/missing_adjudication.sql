-- One row per check whose screening is done and whose adjudication is due, as of the latest instant known.
--
-- check_key              the check
-- vendor                 vendor
-- account                account
-- subject                what kind of thing the vendor checks
-- check_id               the vendor's id, as text
-- package                what was ordered
-- lifecycle              completed or review_required
-- vendor_adjudication    the vendor's word for the decision, null when absent
-- adjudication           pending, or unknown where the word is new
-- result                 clear, consider, referred or unknown
-- next_actor             who has to act
-- is_expected            whether the account says that every check is adjudicated
-- waiting_since          since when it is known to wait
-- as_of                  the instant that waiting is counted to
-- waiting_seconds        calendar seconds since then
-- waiting_business_days  business days since then
-- @refresh view
with
waiting as (
    select
        f.*,
        a.adjudication_expected,
        h.calendar,
        h.timezone,
        h.latest_at,
        if(f.lifecycle = 'completed', f.completed_at, f.last_changed_at) as waiting_since
    from star.fact_check as f
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
    where
        f.is_terminal is not true
        and f.lifecycle in ('completed', 'review_required')
        and f.adjudication in ('pending', 'unknown')
)

select
    w.check_key,
    w.vendor,
    w.account,
    w.subject,
    w.check_id,
    w.package,
    w.lifecycle,
    w.vendor_adjudication,
    w.adjudication,
    w.result,
    w.next_actor,
    w.adjudication_expected as is_expected,
    w.waiting_since,
    w.latest_at as as_of,
    date_sub('second', w.waiting_since, w.latest_at) as waiting_seconds,
    as_of_day.business_day_number - since_day.business_day_number as waiting_business_days
from waiting as w
left join star.dim_calendar as since_day
    on w.calendar = since_day.calendar and star.local_time(w.timezone, w.waiting_since)::date = since_day.date
left join star.dim_calendar as as_of_day
    on w.calendar = as_of_day.calendar and star.local_time(w.timezone, w.latest_at)::date = as_of_day.date
