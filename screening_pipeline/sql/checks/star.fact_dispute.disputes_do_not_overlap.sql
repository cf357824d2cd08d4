-- A dispute ends before the next one opens, and only the last may be open.
select
    check_key,
    dispute_seq
from (
    select
        *,
        lead(opened_at) over disputes as next_at,
        row_number() over disputes as place
    from star.fact_dispute
    window disputes as (partition by check_key order by dispute_seq asc nulls last)
)
where
    dispute_seq <> place
    or closed_at < opened_at
    or (next_at is not null and coalesce(closed_at > next_at, true))
