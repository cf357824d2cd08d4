-- One row per check that may be asked for: every open one, and ended ones of which a message says otherwise.
--
-- check_key       which check
-- vendor          vendor
-- account         account
-- subject         subject
-- check_id        the vendor's id, as text
-- package         what was ordered
-- lifecycle       where it stands
-- next_actor      who has to act
-- ordered_at      when it was ordered
-- state_since     since when it stands there, as far as is known
-- last_pulled_at  when the vendor last told its state; if it was never asked, when a feed last told of it
-- retry_at        not to be asked again before, since the vendor did not tell when asked later than that
-- is_push_fed     whether the vendor pushes messages about it
-- is_requested    whether a message waits to be confirmed by one pull
-- @refresh check_key
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

pulled as (
    select
        check_key,
        max(received_at) as last_pulled_at
    from asked
    where is_told
    group by check_key
),

-- What tells nothing is no look at the check. The account is at fault, not the check, in 401, 403 and 429.
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
),

pushed as (
    select distinct check_key from sequence where channel = 'push'
)

select
    f.check_key,
    f.vendor,
    f.account,
    f.subject,
    f.check_id,
    f.package,
    f.lifecycle,
    f.next_actor,
    f.ordered_at,
    -- The first state that was seen is taken to be the one it was ordered in; an order of the future waits no longer.
    case
        when f.last_changed_at > f.first_observed_at then f.last_changed_at
        else coalesce(
            least(if(f.ordered_at > c.first_seen_at, c.first_seen_at, f.ordered_at), f.first_observed_at),
            c.first_seen_at
        )
    end as state_since,
    -- What the feed has told needs no first look.
    case when u.check_key is null then coalesce(p.last_pulled_at, f.last_observed_at) else p.last_pulled_at end
        as last_pulled_at,
    -- As long again as it was asked in vain, so that every wait is twice the last.
    v.last_at + greatest(
        interval 5 minute, least(v.last_at - v.since, if(v.is_outage, interval 1 hour, interval 1 day))
    ) as retry_at,
    u.check_key is not null as is_push_fed,
    d.check_key is not null as is_requested
from star.fact_check as f
inner join touched using (check_key)
inner join concerned as c on f.check_key = c.check_key
left join doubt as d on f.check_key = d.check_key and d.is_polled
left join pulled as p on f.check_key = p.check_key
left join in_vain as v on f.check_key = v.check_key
left join pushed as u on f.check_key = u.check_key
where f.is_terminal is not true or d.check_key is not null
