-- A complete screening has a turnaround or a reason why not; one that goes on has neither.
select check_key
from star.fact_check
where
    not coalesce(
        star.is_ended_otherwise(turnaround_excluded_reason)
        or turnaround_excluded_reason in ('left_censored', 'no_order_time', 'negative'),
        true
    )
    or (
        is_terminal is not true and (lifecycle <> 'completed' or completed_at is null)
        and (
            turnaround_seconds is not null or turnaround_seconds_earliest is not null
            or turnaround_business_days is not null or turnaround_excluded_reason is not null
        )
    )
    -- A referral waits for its release and a form for E-Verify, also where they were complete before.
    or (
        (
            is_terminal
            or (lifecycle = 'completed' and completed_at is not null and result <> 'referred' and subject <> 'i9')
        )
        and turnaround_excluded_reason is null and turnaround_seconds is null
    )
    or (
        turnaround_seconds is not null
        and coalesce(turnaround_excluded_reason, 'negative') <> 'negative'
    )
    or ((turnaround_seconds <= 0) is true) <> (turnaround_excluded_reason is not distinct from 'negative')
