-- How long checks take.
select
    t.*,
    t.median_days * 86400 as median,
    t.low * 86400 as median_low,
    t.high * 86400 as median_high,
    t.ci_low * 86400 as interval_low,
    t.ci_high * 86400 as interval_high,
    t.p90_days * 86400 as ninety,
    t.p90_low * 86400 as ninety_low,
    t.p90_high * 86400 as ninety_high,
    w.p50_survival_middle as p50,
    w.p75_survival_middle as p75,
    w.p90_survival_middle as p90,
    w.p95_survival_middle as p95,
    w.p50_earliest
from analytics.turnaround as t
left join analytics.turnaround_by_vendor as w on t.vendor = w.vendor
order by t.vendor asc nulls last
