-- Who holds what up? What the figures mean is told in docs/questions.md.

select
    vendor, phase, n, n_touched, round(share, 2) as share,
    to_seconds(p50) as median, to_seconds(p50_least) as at_least, to_seconds(p50_most) as at_most, p50_business_days
from analytics.turnaround_phases
order by vendor, share desc;

select f.check_id, p.phase, to_seconds(p.seconds) as time, p.business_days
from analytics.check_phase as p
inner join star.fact_check as f using (check_key)
where f.vendor = 'hireright' and p.seconds > 0
order by f.check_key, p.seconds desc;
