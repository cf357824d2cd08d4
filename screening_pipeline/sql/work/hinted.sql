-- One row per check being recomputed of which a pushed message says that there is news, and not what: one pull tells.
--
-- @refresh work
with
named as (
    select
        o.check_key,
        max(o.received_at) as named_at
    from touched_message as o
    where o.state_key is null and o.channel = 'push'
    group by o.check_key
)

select n.check_key
from named as n
inner join concerned as c on n.check_key = c.check_key
inner join staging.account as a on c.vendor = a.vendor and c.account = a.account
left join asked_check as k on n.check_key = k.check_key
where a.is_polled and n.named_at >= coalesce(k.last_pulled_at, timestamptz '-infinity')
