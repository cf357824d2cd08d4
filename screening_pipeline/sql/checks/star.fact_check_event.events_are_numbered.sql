-- The events of a check are numbered 1, 2, 3 in the order they were learned.
select
    check_key,
    event_seq
from (
    select
        check_key,
        event_seq,
        observed_at,
        row_number() over (partition by check_key order by event_seq asc nulls last) as place,
        lag(observed_at) over (partition by check_key order by event_seq asc nulls last) as observed_before
    from star.fact_check_event
)
where event_seq <> place or observed_at < observed_before
