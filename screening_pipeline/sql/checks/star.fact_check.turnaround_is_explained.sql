-- A check that is done has a turnaround or a reason why not; an open one has neither.
select check_key
from star.fact_check
where
    not coalesce(
        star.is_ended_otherwise(turnaround_excluded_reason)
        or turnaround_excluded_reason in ('left_censored', 'no_order_time', 'negative'),
        true
    )
    or (
        is_terminal is not true
        and (
            turnaround_seconds is not null or turnaround_seconds_earliest is not null
            or turnaround_business_days is not null or turnaround_excluded_reason is not null
        )
    )
    or (is_terminal and turnaround_excluded_reason is null and turnaround_seconds is null)
    or (
        turnaround_seconds is not null
        and coalesce(turnaround_excluded_reason, 'negative') <> 'negative'
    )
    or ((turnaround_seconds <= 0) is true) <> (turnaround_excluded_reason is not distinct from 'negative')
