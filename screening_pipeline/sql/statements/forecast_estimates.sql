-- On which day the vendor itself thought `$now` that a check would be complete, and the account's distance from UTC.
select
    e.check_key,
    date_diff('day', date '1970-01-01', max_by(e.vendor_estimated_on, e.first_observed_at)) as day,
    any_value(epoch(star.local_time(a.timezone, $now)) - epoch($now)) as to_local
from star.fact_vendor_estimate as e
inner join star.dim_account as a on e.vendor = a.vendor and e.account = a.account
where a.is_analyzed and e.first_observed_at <= $now
group by e.check_key;
