-- One row per account whose checks are counted: until when the warehouse knows how its checks stand.
--
-- vendor     vendor
-- account    account
-- calendar   holiday calendar for business days
-- timezone   zone in which its days begin
-- known_at   the last instant at which the account told something that could be read, null if it never did
-- latest_at  the latest instant the warehouse knows of at all, the same for every account
-- @refresh view
with
told as (
    select
        vendor,
        account,
        received_at,
        outcome in ('changed', 'unchanged') as is_answer
    from star.fact_pull
    union all
    select
        vendor,
        account,
        last_observed_at as received_at,
        true as is_answer
    from star.fact_check
    where last_observed_at is not null
),

known as (
    select
        vendor,
        account,
        max(received_at) filter (where is_answer) as known_at
    from told
    group by vendor, account
)

select
    a.vendor,
    a.account,
    a.calendar,
    a.timezone,
    k.known_at,
    (select max(t.received_at) from told as t) as latest_at
from star.dim_account as a
left join known as k on a.vendor = k.vendor and a.account = k.account
where a.is_analyzed
