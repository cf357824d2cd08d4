-- A turnaround is the time from order to completion, and its lower bound is not longer.
select check_key
from star.fact_check
where
    turnaround_seconds <> date_sub('second', ordered_at, completed_at)
    or turnaround_seconds_earliest > turnaround_seconds
