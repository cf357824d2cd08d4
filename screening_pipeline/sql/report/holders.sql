-- Who holds the open checks.
select * from analytics.open_checks_by_actor
order by vendor asc nulls last, n desc nulls last
