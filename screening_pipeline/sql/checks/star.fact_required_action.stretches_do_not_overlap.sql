-- A stretch of one action ends before the next begins, and only the last may stand.
select
    check_key,
    action_type
from (
    select
        *,
        lead(first_observed_at) over stretch as next_at,
        row_number() over stretch as place
    from star.fact_required_action
    window stretch as (partition by check_key, action_type order by action_seq asc nulls last)
)
where
    action_seq <> place
    or resolved_at < first_observed_at
    or (next_at is not null and coalesce(resolved_at > next_at, true))
