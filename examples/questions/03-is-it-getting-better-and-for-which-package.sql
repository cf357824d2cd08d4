-- Is it getting better, and for which package? What the figures mean is told in docs/questions.md.

select vendor, package, month, n, n_open, median_days, ci_low, ci_high, note
from analytics.turnaround_by_month
order by vendor, package, month;

select vendor, package, month, n, n_open, to_seconds(p50) as median, p50_business_days
from analytics.turnaround_by_package_month
order by vendor, package, month;
