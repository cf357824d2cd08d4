-- How many promises of open checks will break, by the week in which they are due.
select * from analytics.breach_forecast
order by vendor asc nulls last, week asc nulls last
limit 60
