-- One row per stretch in which somebody had to do something for a check.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- subject              what kind of thing the vendor checks
-- check_id             the vendor's id, as text
-- action_type          the vendor's word for what has to be done
-- action_seq           1, 2, … within the check and type
-- next_actor           who has to do it; unknown where the word is new
-- first_observed_at    when it was first asked for
-- resolved_at          the first observation without it, null while it stands
-- resolved_at_earliest the last observation with it
-- @refresh check_key
with
shown as (
    select
        o.check_key,
        q.place,
        q.received_at as observed_at,
        o.actions
    from touched_message as o
    inner join sequence as q on o.message_number = q.message_number
    where q.is_applied and o.actions is not null
),

asked as (
    select distinct
        check_key,
        unnest(actions) as action_type
    from shown
),

presence as (
    select
        h.*,
        a.action_type,
        list_contains(h.actions, a.action_type) as is_present,
        lag(list_contains(h.actions, a.action_type), 1, false) over sequence as was_present
    from shown as h
    inner join asked as a on h.check_key = a.check_key
    window sequence as (partition by h.check_key, a.action_type order by h.place asc nulls last)
),

stretch as (
    select
        *,
        sum(if(is_present and not was_present, 1, 0)) over (
            partition by check_key, action_type order by place asc nulls last rows unbounded preceding
        ) as action_seq
    from presence
),

lasting as (
    select
        check_key,
        action_type,
        action_seq::integer as action_seq,
        min(observed_at) as first_observed_at,
        min(observed_at) filter (where not is_present) as resolved_at,
        max(observed_at) filter (where is_present) as resolved_at_earliest
    from stretch
    where action_seq > 0
    group by check_key, action_type, action_seq
)

select
    s.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    s.action_type,
    s.action_seq,
    coalesce(m.next_actor, 'unknown') as next_actor,
    s.first_observed_at,
    s.resolved_at,
    s.resolved_at_earliest
from lasting as s
inner join concerned as c on s.check_key = c.check_key
left join star.dim_vendor_status as m
    on
        c.vendor = m.vendor and c.subject = m.subject and m.field = 'action' and s.action_type = m.value
        and s.first_observed_at >= m.valid_from and s.first_observed_at < m.valid_to
