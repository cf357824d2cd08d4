-- What subscriptions have brought.
select * from analytics.subscriptions_by_vendor
order by vendor asc nulls last
