-- How many ever complete? What the figures mean is told in docs/questions.md.

select vendor, n_ended, share, low, high, share_least, share_most
from analytics.completion_share
where grain = 'vendor';

select vendor, package, part, ordered_on, n_ordered, n, n_open, to_seconds(p50) as median
from analytics.turnaround_trend
order by vendor, package, ordered_on;
