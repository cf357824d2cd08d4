-- The oldest open checks.
select * from analytics.open_check_ageing
order by age_seconds desc nulls last, check_key asc nulls last
limit 12
