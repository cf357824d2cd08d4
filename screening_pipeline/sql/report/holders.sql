-- Who holds the open checks.
select * from analytics.open_checks_by_actor
order by vendor asc, n desc
