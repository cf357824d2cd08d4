-- Checks that were opened again.
select * from analytics.reopenings_by_vendor
order by vendor asc nulls last
