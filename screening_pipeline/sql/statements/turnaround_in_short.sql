-- Turnaround by vendor, in the columns that fit a terminal.
select
    v.vendor_name as vendor,
    t.n,
    t.n_completed,
    t.n_open,
    round(t.median_days, 1) as median_days,
    concat(round(t.ci_low, 1), ' to ', round(t.ci_high, 1)) as interval_days,
    round(t.p90_days, 1) as p90_days,
    t.note
from analytics.turnaround as t
inner join star.dim_vendor as v on t.vendor = v.vendor
order by v.vendor_name asc nulls last;
