-- One row per message about the checks being recomputed whose messages have to be weighed, beside those around it.
--
-- @refresh work
with
-- Until when there was quiet where nothing came.
horizon as (
    select
        true as is_any,
        max(value)::timestamptz as settled_at
    from staging.setting
    where name = 'settled_at'
),

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
        coalesce(state_key <> lag(state_key) over (partition by check_key order by place asc nulls last), true)
            as is_other_state
    from message_history
    semi join weighty using (check_key)
    window
        earlier as (
            partition by check_key order by place asc nulls last rows between unbounded preceding and 1 preceding
        )
),

dated as (
    select
        *,
        -- The same message again is one message.
        channel <> 'pull' and row_number() over (
            partition by check_key, channel = 'pull', state_key, told_at order by place asc nulls last
        ) > 1 and not (is_in_line and is_other_state and true_at is null) as is_duplicate,
        row_number() over (partition by check_key, fingerprint order by place asc nulls last) = 1 as is_new_state,
        coalesce(true_at >= max(true_at) over earlier, true_at is not null) as is_timely
    from lined_up
    window
        earlier as (
            partition by check_key order by place asc nulls last rows between unbounded preceding and 1 preceding
        )
),

followed as (
    select
        *,
        min(if(is_other_state, received_at, null)) over (
            partition by check_key order by place asc nulls last rows between 1 following and unbounded following
        ) as other_said_at
    from dated
),

settled as (
    select
        f.*,
        if(f.other_said_at is null, f.quiet_until, null) as settles_at,
        not f.is_duplicate
        and coalesce(coalesce(f.other_said_at, h.settled_at) >= f.quiet_until, false) as is_quiet
    from followed as f
    inner join horizon as h on (f.check_key is not null) = h.is_any -- one row; looked up, not multiplied
)

-- A stretch begins with what tells for certain how the check stood then.
select
    *,
    not is_duplicate and (true_at is null or is_timely) as is_counted,
    sum(if((is_timely or is_quiet) and not is_duplicate, 1, 0)) over (
        partition by check_key order by place asc nulls last rows unbounded preceding
    ) as stretch
from settled
