-- How long do checks take at each vendor? What the figures mean is told in docs/questions.md.

select vendor, n, n_completed, n_open, median_days, low, high, ci_low, ci_high, p90_days, median_business_days, share_completing, note
from analytics.turnaround
order by median_days asc nulls last;

select vendor, unit, assumption, percentile, value, low, high
from analytics.turnaround_percentile
where unit = 'business_days' and assumption = 'middle';

select vendor, n, n_open, n_excluded, to_seconds(p50) as median, p50_business_days, p90_business_days
from analytics.turnaround_by_vendor;
