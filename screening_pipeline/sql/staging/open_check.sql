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
-- last_asked_at   when it was last asked, answered or in vain, or a feed told of it; what is due stays due until then
-- retry_at        not to be asked again before, since the vendor did not tell when asked later than that
-- is_push_fed     whether the vendor pushes messages about it
-- is_requested    whether a message waits to be confirmed by one pull
-- decision_since  since when only a decision is awaited, which its account is taken to make for all checks
-- @refresh check_key
with
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
    -- What the feed has told needs no first look; what an invitation told was not yet said of its report.
    if(
        u.check_key is null and f.continues_check_id is null,
        coalesce(k.last_pulled_at, f.last_observed_at),
        k.last_pulled_at
    ) as last_pulled_at,
    k.last_asked_at,
    -- As long again as it was asked in vain, so that every wait is twice the last.
    k.last_at + greatest(
        interval 5 minute, least(k.last_at - k.since, if(k.is_outage, interval 1 hour, interval 1 day))
    ) as retry_at,
    u.check_key is not null as is_push_fed,
    d.check_key is not null or h.check_key is not null as is_requested,
    case
        when
            f.lifecycle = 'completed' and f.adjudication = 'pending' and f.dispute in ('none', 'closed')
            and coalesce(f.vendor_adjudication, '') in ('', 'Not Available')
            and a.adjudication_declared is null
            then coalesce(f.completed_at, f.last_changed_at)
    end as decision_since
from star.fact_check as f
inner join touched using (check_key)
inner join concerned as c on f.check_key = c.check_key
left join staging.account as a on f.vendor = a.vendor and f.account = a.account
left join doubt as d on f.check_key = d.check_key and d.is_polled
left join hinted as h on f.check_key = h.check_key
left join asked_check as k on f.check_key = k.check_key
left join pushed as u on f.check_key = u.check_key
where f.is_terminal is not true or d.check_key is not null or h.check_key is not null
