-- One row per message about the checks being recomputed whose messages have to be weighed, and what it weighs.
--
-- @refresh work
with
reached as (
    select
        *,
        max(if(is_counted, lifecycle_rank, null)) over so_far as rank_so_far,
        max(if(is_counted, evidence, null)) over so_far as evidence_so_far
    from lined_message
    window so_far as (partition by check_key, stretch order by place asc nulls last rows unbounded preceding)
),

weighed as (
    select
        *,
        lag(rank_so_far) over (partition by check_key order by place asc nulls last) as known_rank,
        lag(evidence_so_far) over (partition by check_key order by place asc nulls last) as known_evidence
    from reached
),

judged as (
    select
        *,
        case
            when channel = 'pull' then true
            when is_duplicate then false
            when true_at is not null then is_timely
            when is_in_line and known_rank < 5 then true
            -- A message without a time may be very late: what can only come later is applied at once, and what moves a
            -- check forward, to where it never was. Anything else waits for a pull to confirm it, or for quiet.
            else coalesce(
                is_new_state and (
                    lifecycle_rank > known_rank
                    or (lifecycle_rank = known_rank and lifecycle_rank < 5)
                    or staging.is_later_evidence(known_evidence, evidence)
                    -- Words of E-Verify that decide nothing yet follow each other in any order.
                    or (detail_role = 'concludes' and known_evidence = 1 and evidence = 1)
                ),
                true
            )
        end as is_news,
        is_news or is_quiet as is_admitted
    from weighed
),

stretched as (
    select
        *,
        sum(if(is_admitted and not is_terminal, 1, 0)) over (
            partition by check_key order by place asc nulls last rows unbounded preceding
        ) as opened
    from judged
),

ended as (
    select
        *,
        -- Once ended it stays ended in the first way, until something opens it again.
        is_terminal and lifecycle <> first_value(
            case when is_admitted and is_terminal and not is_soft_end then lifecycle end ignore nulls
        ) over (partition by check_key, opened order by place asc nulls last rows unbounded preceding) as is_second_end
    from stretched
),

taken as (
    select
        *,
        is_admitted and not coalesce(is_second_end, false) as is_applied,
        last_value(if(is_applied, fingerprint, null) ignore nulls) over (
            partition by check_key order by place asc nulls last rows between unbounded preceding and 1 preceding
        ) as fingerprint_before
    from ended
),

-- Nobody has confirmed what only quiet made the state, until something tells for certain again.
confirmed as (
    select
        *,
        is_applied and coalesce(last_value(
            case
                when not is_applied then null
                when is_news then false
                when fingerprint is distinct from fingerprint_before then true
            end ignore nulls
        ) over (partition by check_key order by place asc nulls last rows unbounded preceding), false) as is_unconfirmed
    from taken
)

select
    * exclude (
        is_admitted, opened, stretch, quiet_until, other_said_at, is_timely, is_new_state, is_second_end, is_in_line,
        is_other_state, evidence, detail_role, is_counted, is_news, is_quiet, rank_so_far, evidence_so_far,
        known_rank, known_evidence, fingerprint_before
    ),
    coalesce(is_second_end, false) and (is_admitted or (true_at is null and not is_duplicate)) as is_contradicted
from confirmed
