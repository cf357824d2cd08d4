-- How well promises were kept.
select * from analytics.sla_attainment
order by sla_target asc nulls last, vendor asc nulls last
