-- One row per check and contradiction that its vendor or its orders told, now or earlier.
--
-- check_key          the check
-- vendor             vendor
-- account            account
-- subject            subject
-- check_id           the vendor's id, as text
-- conflict           code of the contradiction; order.<column> where two orders disagree; unconfirmed_message where the
--                    last message says otherwise than what was known, and its account is not asked: it is the state
--                    after a quiet time
-- first_observed_at  when it was first seen
-- last_observed_at   when it was last seen
-- is_current         whether the check's present state has it
-- @refresh check_key
with
told as (
    select
        e.check_key,
        e.is_present,
        e.observed_at,
        unnest(r.conflicts) as conflict
    from applied as e
    inner join staging.reading as r on e.state_key = r.state_key
    where len(r.conflicts) > 0
),

-- Where the vendor is asked, the next pull settles it.
unconfirmed as (
    select
        check_key,
        first_observed_at,
        last_observed_at,
        true as is_current
    from doubt
    where not is_polled
    union all
    select
        check_key,
        observed_at as first_observed_at,
        observed_at as last_observed_at,
        is_present as is_current
    from applied
    where is_unconfirmed
),

conflict as (
    select
        check_key,
        conflict,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at,
        bool_or(is_present) as is_current
    from told
    group by check_key, conflict
    union all
    select
        check_key,
        'second_end' as conflict,
        min(received_at) as first_observed_at,
        max(received_at) as last_observed_at,
        false as is_current
    from sequence
    where is_contradicted
    group by check_key
    union all
    select
        check_key,
        'unconfirmed_message' as conflict,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at,
        bool_or(is_current) as is_current
    from unconfirmed
    group by check_key
    union all
    select
        check_key,
        concat('order.', unnest(contradictions)) as conflict,
        announced_at as first_observed_at,
        announced_at as last_observed_at,
        true as is_current
    from order_fact
)

select
    k.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    k.conflict,
    k.first_observed_at,
    k.last_observed_at,
    k.is_current
from conflict as k
inner join concerned as c on k.check_key = c.check_key
