-- Which part of a check takes longest? What the figures mean is told in docs/questions.md.

select vendor, check_type, n, n_open, n_excluded, to_seconds(p50) as median, to_seconds(p50_earliest) as median_at_least
from analytics.turnaround_by_check_type
order by vendor, p50 desc;

select vendor, last_part, count(*) as n
from (
    select c.vendor, c.check_key, max_by(coalesce(c.component_type, c.component_name), c.completed_at) as last_part
    from star.fact_check_component as c
    inner join analytics.check_clock as k on c.check_key = k.check_key
    where k.is_included
    group by c.vendor, c.check_key
)
group by vendor, last_part
order by vendor, n desc;

select vendor, component_type, vendor_reason, count(*) as n, to_seconds(avg(vendor_turnaround_seconds)) as by_the_vendor
from star.fact_check_component
where vendor_reason is not null or vendor_turnaround_seconds is not null
group by all
order by vendor, n desc;
