-- One row per check and word that is in no mapping: kept, open and listed, never guessed.
--
-- check_key          the check
-- vendor             vendor
-- account            account
-- subject            subject
-- check_id           the vendor's id, as text
-- field              which word
-- value              the word, as told
-- first_observed_at  when it was first told
-- last_observed_at   when it was last told
-- is_current         whether the check's present state has it
-- @refresh check_key
with
word as (
    select
        e.check_key,
        e.is_present,
        e.observed_at,
        unnest(r.unmapped, recursive := true)
    from applied as e
    inner join staging.reading as r on e.state_key = r.state_key
    where len(r.unmapped) > 0
),

listed as (
    select
        check_key,
        field,
        value,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at,
        bool_or(is_present) as is_current
    from word
    group by check_key, field, value
    union all
    -- What stands in lists beside the state: it never keeps a check open, but it is not guessed either.
    select
        p.check_key,
        'component_adjudication' as field,
        p.vendor_adjudication as value,
        min(p.last_observed_at) as first_observed_at,
        max(p.last_observed_at) as last_observed_at,
        true as is_current
    from star.fact_check_component as p
    inner join touched on p.check_key = touched.check_key
    where
        p.adjudication = 'pending'
        and not exists (
            select 1 from star.dim_vendor_status as m
            where
                p.vendor = m.vendor and p.subject = m.subject
                and m.field = 'component_adjudication' and p.vendor_adjudication = m.value
        )
    group by p.check_key, p.vendor_adjudication
    union all
    select
        a.check_key,
        'action' as field,
        a.action_type as value,
        min(a.first_observed_at) as first_observed_at,
        max(a.resolved_at_earliest) as last_observed_at,
        bool_or(a.resolved_at is null) as is_current
    from star.fact_required_action as a
    inner join touched on a.check_key = touched.check_key
    where a.next_actor = 'unknown'
    group by a.check_key, a.action_type
    union all
    select
        r.check_key,
        'run' as field,
        r.vendor_status as value,
        min(r.first_observed_at) as first_observed_at,
        max(r.last_observed_at) as last_observed_at,
        true as is_current
    from star.fact_subscription_run as r
    inner join touched on r.check_key = touched.check_key
    where r.result = 'unknown'
    group by r.check_key, r.vendor_status
    union all
    select * from unread_time
)

select
    l.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    l.field,
    l.value,
    l.first_observed_at,
    l.last_observed_at,
    l.is_current
from listed as l
inner join concerned as c on l.check_key = c.check_key
