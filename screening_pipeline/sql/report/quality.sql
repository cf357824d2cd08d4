-- What the figures rest on.
select * from analytics.data_quality
order by vendor asc nulls last, account asc nulls last
