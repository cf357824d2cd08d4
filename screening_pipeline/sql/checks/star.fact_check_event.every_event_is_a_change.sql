-- Between two events of a check something changed.
select
    check_key,
    event_seq
from (
    select
        check_key,
        event_seq,
        row(
            vendor_status, vendor_status_detail, vendor_result, vendor_adjudication, vendor_dispute,
            lifecycle, result, adjudication, dispute, next_actor, is_terminal, is_partial, has_conflict
        ) as state,
        lag(state) over (partition by check_key order by event_seq asc nulls last) as state_before
    from star.fact_check_event
)
where state is not distinct from state_before
