-- What the other views are made from.

select package, count(*) as n, to_seconds(quantile_cont(seconds, 0.5)) as median
from analytics.check_clock
where vendor = 'zinc' and is_included
group by package;

select vendor, unit, time, survival
from analytics.survival_curve
where assumption = 'middle' and n_at_risk >= 10
order by vendor, unit, time;

select vendor, account, known_at, latest_at - known_at as silent_for
from analytics.account_horizon;

select grain, vendor, package, month, count(*) as n
from analytics.turnaround_member
group by all;

select vendor, n, n_found_ended, n_late, n_late_ended, n_used, is_left_out
from analytics.turnaround_group
where grain = 'vendor';

select time, sum(n_events) as n_events, sum(n_otherwise) as n_otherwise, sum(n_censored) as n_censored
from analytics.incidence_tally
where grain = 'vendor' and vendor = 'zinc' and unit = 'seconds' and assumption = 'middle'
group by time;

select time, n_at_risk, incidence, unended
from analytics.incidence_curve
where grain = 'vendor' and vendor = 'zinc' and unit = 'seconds' and assumption = 'middle';

select time, share, share_low, share_high
from analytics.completion_curve
where grain = 'vendor' and vendor = 'zinc' and unit = 'seconds' and assumption = 'middle';

select vendor, assumption, times, lows, highs
from analytics.group_summary
where grain = 'vendor' and unit = 'seconds';

select vendor, medians, p50_least, p50_last, ci_low, ci_high
from analytics.group_bound
where grain = 'vendor';

select vendor, package, percentile, value, low, high
from analytics.group_percentile
where grain = 'package' and unit = 'seconds' and assumption = 'middle';

select vendor, package, median_days, p90_days, note
from analytics.group_turnaround
where grain = 'package';

select vendor, package, count(*) filter (where is_open) as n_open
from analytics.check_count
group by all;

select vendor, package, label
from analytics.package_label;
