-- One row per account whose checks are counted: until when the warehouse knows how its checks stand.
--
-- vendor     vendor
-- account    account
-- calendar   holiday calendar for business days
-- timezone   zone in which its days begin
-- known_at   the last instant at which the account told something that could be read, null if it never did
-- known_day  running number of that business day
-- latest_at  the latest instant the warehouse knows of at all, the same for every account
-- @refresh view
with
-- Each table by itself, then what little is left of both: nearly every view asks for this.
told as (
    select
        vendor,
        account,
        max(received_at) filter (where outcome in ('changed', 'unchanged')) as answered_at,
        max(received_at) as told_at
    from star.fact_pull
    group by vendor, account
    union all
    select
        vendor,
        account,
        max(last_observed_at) as answered_at,
        max(last_observed_at) as told_at
    from star.fact_check
    group by vendor, account
),

known as (
    select
        vendor,
        account,
        max(answered_at) as known_at
    from told
    group by vendor, account
)

select
    a.vendor,
    a.account,
    a.calendar,
    a.timezone,
    k.known_at,
    d.business_day_number as known_day,
    (select max(t.told_at) from told as t) as latest_at
from star.dim_account as a
left join known as k on a.vendor = k.vendor and a.account = k.account
left join star.dim_calendar as d
    on a.calendar = d.calendar and star.local_time(a.timezone, k.known_at)::date = d.date
where a.is_analyzed
