-- Open checks by vendor and by who has to act, and the age of the oldest: those that turnaround counts as open.
select
    v.vendor_name as vendor,
    a.next_actor,
    count(*) as open_checks,
    to_seconds(max(a.age_seconds)) as oldest
from analytics.open_check_ageing as a
inner join star.dim_vendor as v on a.vendor = v.vendor
group by v.vendor_name, a.next_actor
order by v.vendor_name asc nulls last, open_checks desc nulls last, a.next_actor asc nulls last;
