-- One row per message about the checks being recomputed, in the order in which they came, and what it means.
--
-- @refresh work
select
    o.message_number,
    o.check_key,
    o.response_id,
    o.channel,
    o.received_at,
    o.state_key,
    o.told_at,
    o.told_until,
    r.fingerprint,
    r.lifecycle,
    r.lifecycle_rank,
    r.evidence,
    t.detail_role,
    r.is_terminal,
    r.is_complete and not (r.result = 'referred' and o.told_at is null) as is_complete,
    -- H6: an expired invitation is a soft end, since the client may renew it.
    coalesce(r.lifecycle_reason = 'invitation_expired', false) as is_soft_end,
    case when t.time_means = 'state' or is_complete then o.told_at end as occurred_at,
    -- A pull shows the check as it was when it was asked; a dated message speaks of its date, never of the future.
    case
        when o.channel = 'pull' then o.received_at
        when t.time_means = 'state' and o.told_until is not null then least(o.told_until, o.received_at)
    end as true_at,
    -- Where nobody can be asked, the newest message counts once it has been quiet for so long.
    case
        when o.channel <> 'pull' and true_at is null and a.is_polled is false
            then o.received_at + to_seconds(a.push_settles_after)
    end as quiet_until,
    row_number() over (
        order by
            o.check_key asc nulls last, o.received_at asc nulls last, o.response_id asc nulls last,
            case when o.channel = 'feed' then o.told_at end asc nulls last,
            o.message_index asc nulls last
    ) as place
from touched_message as o
inner join staging.state as s on o.state_key = s.state_key
inner join staging.reading as r on o.state_key = r.state_key
inner join staging.trait as t on s.vendor = t.vendor and s.subject = t.subject
left join staging.account as a on s.vendor = a.vendor and s.account = a.account
