-- One row per message about the checks being recomputed, in the order that counts, and whether it is applied.
--
-- @refresh work
with
history as (
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
        r.is_terminal,
        r.lifecycle = 'completed' and not (r.result = 'referred' and o.told_at is null) as is_complete,
        -- H6: an expired invitation is a soft end, since the client may renew it.
        coalesce(r.lifecycle_reason = 'invitation_expired', false) as is_soft_end,
        case when t.time_means = 'state' or is_complete then o.told_at end as occurred_at,
        -- A pull shows the check as it was when it was asked; a dated message speaks of its date, never of the future.
        case
            when o.channel = 'pull' then o.received_at
            when t.time_means = 'state' and o.told_until is not null then least(o.told_until, o.received_at)
        end as true_at,
        row_number() over (
            order by
                o.check_key, o.received_at, o.response_id,
                case when o.channel = 'feed' then o.told_at end nulls last,
                o.message_index
        ) as place
    from touched_message as o
    inner join staging.state as s on o.state_key = s.state_key
    inner join staging.reading as r on o.state_key = r.state_key
    inner join staging.trait as t on s.vendor = t.vendor and s.subject = t.subject
),

-- Most checks are only ever asked, and end in one way at most: there every answer counts, and nothing is weighed.
weighty as (
    select check_key from history
    group by check_key
    having bool_or(channel <> 'pull') or count(distinct lifecycle) filter (where is_terminal) > 1
),

lined_up as (
    select
        *,
        -- The feed hands each message out once and in order; while nothing else tells of a check, that counts.
        channel = 'feed' and coalesce(bool_and(channel = 'feed') over earlier, true) as is_in_line,
        coalesce(state_key <> lag(state_key) over (partition by check_key order by place), true) as is_other_state
    from history
    semi join weighty using (check_key)
    window earlier as (partition by check_key order by place rows between unbounded preceding and 1 preceding)
),

dated as (
    select
        *,
        -- The same message again is one message.
        channel <> 'pull' and row_number() over (
            partition by check_key, channel = 'pull', state_key, told_at order by place
        ) > 1 and not (is_in_line and is_other_state and true_at is null) as is_duplicate,
        row_number() over (partition by check_key, fingerprint order by place) = 1 as is_new_state,
        coalesce(true_at >= max(true_at) over earlier, true_at is not null) as is_timely
    from lined_up
    window earlier as (partition by check_key order by place rows between unbounded preceding and 1 preceding)
),

authoritative as (
    select
        *,
        if(is_duplicate or (true_at is not null and not is_timely), null, lifecycle_rank) as counted_rank,
        sum(if(is_timely and not is_duplicate, 1, 0)) over (
            partition by check_key order by place rows unbounded preceding
        ) as stretch
    from dated
),

judged as (
    select
        *,
        case
            when channel = 'pull' then true
            when is_duplicate then false
            when true_at is not null then is_timely
            when is_in_line and max(counted_rank) over earlier < 5 then true
            -- A message without a time may be very late: it only moves a check forward, to where it never was.
            -- Anything else waits for a pull to confirm it.
            else coalesce(
                is_new_state and (
                    lifecycle_rank > max(counted_rank) over earlier
                    or (lifecycle_rank = max(counted_rank) over earlier and lifecycle_rank < 5)
                ),
                true
            )
        end as is_admitted
    from authoritative
    window earlier as (
        partition by check_key, stretch order by place rows between unbounded preceding and 1 preceding
    )
),

stretched as (
    select
        *,
        sum(if(is_admitted and not is_terminal, 1, 0)) over (
            partition by check_key order by place rows unbounded preceding
        ) as opened
    from judged
),

ended as (
    select
        *,
        -- Once ended it stays ended in the first way, until something opens it again.
        is_terminal and lifecycle <> first_value(
            case when is_admitted and is_terminal and not is_soft_end then lifecycle end ignore nulls
        ) over (partition by check_key, opened order by place rows unbounded preceding) as is_second_end
    from stretched
)

-- Both halves have the same columns, once those for weighing are gone.
select -- noqa: AM07
    * exclude (
        is_admitted, opened, stretch, is_timely, is_new_state, is_second_end, counted_rank, is_in_line, is_other_state
    ),
    coalesce(is_second_end, false) and (is_admitted or (true_at is null and not is_duplicate)) as is_contradicted,
    is_admitted and not coalesce(is_second_end, false) as is_applied
from ended
union all by name
select
    *,
    false as is_duplicate,
    false as is_contradicted,
    true as is_applied
from history
anti join weighty using (check_key)
