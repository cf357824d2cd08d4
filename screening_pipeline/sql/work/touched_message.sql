-- One row per message about the checks being recomputed, as it was told, and a number to find it again.
--
-- @refresh work
-- Once for all: who joins all messages ever told is planned for millions of rows, and pays for them with each window.
with
own as (
    select o.*
    from staging.observation as o
    inner join touched using (check_key)
    where o.check_key not in (select k.continues_key from staging.continuation as k)
),

-- What was said of an invitation is the beginning of its report, until that speaks for itself.
begun as (
    select
        k.continues_key,
        k.check_key,
        min(o.received_at) as begun_at
    from staging.continuation as k
    inner join touched as t on k.check_key = t.check_key
    left join own as o on k.check_key = o.check_key and o.state_key is not null
    group by k.continues_key, k.check_key
)

select
    row_number() over () as message_number,
    *
from (
    select
        *,
        false as is_of_beginning
    from own
    union all by name
    select
        o.* replace (b.check_key as check_key),
        true as is_of_beginning
    from staging.observation as o
    inner join begun as b on o.check_key = b.continues_key
    where o.state_key is not null and (b.begun_at is null or o.received_at < b.begun_at)
)
