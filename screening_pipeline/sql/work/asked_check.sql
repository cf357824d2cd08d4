-- One row per check being recomputed that was asked for, or told of by a feed: when, and since when in vain.
--
-- @refresh work
with
asked as materialized (
    select
        r.check_key,
        r.received_at,
        r.http_status,
        r.http_status between 200 and 299 and r.failure is null and r.reject is null as is_told
    from staging.response as r
    inner join touched using (check_key)
    where r.channel = 'pull'
),

-- The account is at fault, not the check, in 401, 403 and 429: then nobody was asked.
told_of as (
    select
        check_key,
        max(received_at) as last_asked_at
    from (
        select
            check_key,
            received_at
        from asked
        where is_told or http_status is null or http_status not in (401, 403, 429)
        union all
        select
            check_key,
            received_at
        from sequence where channel = 'feed'
    )
    group by check_key
),

pulled as (
    select
        check_key,
        max(received_at) as last_pulled_at
    from asked
    where is_told
    group by check_key
),

-- What tells nothing is no look at the check.
in_vain as (
    select
        a.check_key,
        min(a.received_at) as since,
        max(a.received_at) as last_at,
        bool_and(a.http_status is null or a.http_status >= 500) as is_outage
    from asked as a
    left join pulled as p on a.check_key = p.check_key
    where
        a.is_told is not true and (a.http_status is null or a.http_status not in (401, 403, 429))
        and a.received_at > coalesce(p.last_pulled_at, timestamptz '-infinity')
    group by a.check_key
)

select
    k.check_key,
    k.last_asked_at,
    p.last_pulled_at,
    v.since,
    v.last_at,
    v.is_outage
from told_of as k
left join pulled as p on k.check_key = p.check_key
left join in_vain as v on k.check_key = v.check_key
