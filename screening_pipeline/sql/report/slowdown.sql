-- What has become slower than it was.
select * from analytics.slowdown
where is_slow
order by vendor asc nulls last, state asc nulls last
