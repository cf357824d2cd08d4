-- Turnaround by vendor, in the columns that fit a terminal.
select
    v.vendor_name as vendor,
    t.n,
    t.n_open,
    t.n_excluded,
    t.p50,
    t.p90,
    t.p50_business_days,
    t.p90_business_days
from analytics.turnaround_by_vendor as t
inner join star.dim_vendor as v on t.vendor = v.vendor
order by v.vendor_name asc nulls last;
