-- The last event of a check tells its present state.
with
last_event as (
    select *
    from star.fact_check_event
    qualify row_number() over (partition by check_key order by event_seq desc nulls last) = 1
)

select f.check_key
from star.fact_check as f
left join last_event as e on f.check_key = e.check_key
where
    (f.first_observed_at is null) <> (e.check_key is null)
    or (
        e.check_key is not null
        and row(
            f.vendor_status, f.vendor_status_detail, f.vendor_result, f.vendor_adjudication,
            f.vendor_dispute, f.lifecycle, f.lifecycle_reason, f.result, f.result_source, f.adjudication,
            f.dispute, f.next_actor, f.is_terminal, f.is_partial, f.has_conflict, f.last_changed_at
        ) is distinct from row(
            e.vendor_status, e.vendor_status_detail, e.vendor_result, e.vendor_adjudication,
            e.vendor_dispute, e.lifecycle, e.lifecycle_reason, e.result, e.result_source, e.adjudication,
            e.dispute, e.next_actor, e.is_terminal, e.is_partial, e.has_conflict, e.observed_at
        )
    )
