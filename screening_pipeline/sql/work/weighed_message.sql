-- One row per message about the checks being recomputed whose messages have to be weighed, and what it weighs.
--
-- @refresh work
with
-- Most checks are only ever asked, and end in one way at most: there every answer counts, and nothing is weighed.
weighty as (
    select check_key from message_history
    group by check_key
    having bool_or(channel <> 'pull') or count(distinct lifecycle) filter (where is_terminal) > 1
),

lined_up as (
    select
        *,
        -- The feed hands each message out once and in order; while nothing else tells of a check, that counts.
        channel = 'feed' and coalesce(bool_and(channel = 'feed') over earlier, true) as is_in_line,
        coalesce(state_key <> lag(state_key) over (partition by check_key order by place), true) as is_other_state
    from message_history
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

select
    * exclude (
        is_admitted, opened, stretch, is_timely, is_new_state, is_second_end, counted_rank, is_in_line, is_other_state
    ),
    coalesce(is_second_end, false) and (is_admitted or (true_at is null and not is_duplicate)) as is_contradicted,
    is_admitted and not coalesce(is_second_end, false) as is_applied
from ended
