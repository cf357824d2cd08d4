-- The steps of each vendor's curve that can be seen: one of a hundred thousand looks like one of two hundred.
with
stepped as (
    select
        *,
        row_number() over sequence = 1 as is_first,
        lead(survival) over sequence is null as is_last,
        floor(lag(survival) over sequence * 200) as previous,
        floor(lag(survival_earliest) over sequence * 200) as previous_earliest
    from analytics.turnaround_survival
    window sequence as (partition by vendor order by time_seconds asc nulls last)
)

select
    vendor,
    time_seconds,
    n_at_risk,
    survival,
    survival_middle,
    survival_earliest
from stepped
where
    is_first or is_last
    or floor(survival * 200) < previous
    or floor(survival_earliest * 200) < previous_earliest
order by vendor asc nulls last, time_seconds asc nulls last
