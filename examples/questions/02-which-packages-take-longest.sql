-- Which packages take longest? What the figures mean is told in docs/questions.md.

select vendor, package, n, n_open, median_days, ci_low, ci_high, p90_days, note
from analytics.turnaround_by_package
order by vendor, median_days desc nulls last;

select vendor, country, region, cost_center, result, count(*) as n, to_seconds(quantile_cont(seconds, 0.5)) as median
from analytics.check_clock
where is_included
group by all
order by vendor, n desc;
