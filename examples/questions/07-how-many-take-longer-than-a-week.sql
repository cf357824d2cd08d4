-- How many take longer than a week? What the figures mean is told in docs/questions.md.

select
    vendor,
    coalesce(min(survival) filter (where assumption = 'latest' and time <= 7 * 86400), 1) as still_open,
    coalesce(min(survival) filter (where assumption = 'earliest' and time <= 7 * 86400), 1) as if_each_came_early
from analytics.survival_curve
where unit = 'seconds'
group by vendor;

select vendor, time_seconds, n_at_risk, survival, survival_middle, survival_earliest
from analytics.turnaround_survival
order by vendor, time_seconds;

select vendor, time_business_days, n_at_risk, survival, survival_earliest
from analytics.turnaround_survival_business_days
order by vendor, time_business_days;
