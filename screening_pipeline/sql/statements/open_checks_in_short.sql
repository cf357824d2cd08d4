-- Open checks by vendor and by who has to act, and the age of the oldest.
select
    v.vendor_name as vendor,
    f.next_actor,
    count(*) as open_checks,
    (select max(last_observed_at) from star.fact_check) - min(coalesce(f.ordered_at, f.first_observed_at)) as oldest
from star.fact_check as f
inner join star.dim_vendor as v on f.vendor = v.vendor
where f.is_terminal is not true
group by v.vendor_name, f.next_actor
order by v.vendor_name asc nulls last, open_checks desc nulls last;
