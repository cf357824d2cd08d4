-- Which part of a check takes longest? What the figures mean is told in docs/questions.md.

select vendor, check_type, n, n_open, n_excluded, to_seconds(p50) as median, to_seconds(p50_earliest) as median_at_least
from analytics.turnaround_by_check_type
order by vendor, p50 desc;
