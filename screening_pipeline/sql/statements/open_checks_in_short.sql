-- Open checks by vendor and by who has to act, and the age of the oldest.
--
-- Those whose screening is over and whose client has to decide stand by themselves: turnaround counts the others open.
select
    v.vendor_name as vendor,
    if(m.check_key is null, a.next_actor, a.next_actor || ', screening is over') as next_actor,
    count(*) as open_checks,
    to_seconds(max(a.age_seconds)) as oldest
from analytics.open_check_ageing as a
inner join star.dim_vendor as v on a.vendor = v.vendor
left join analytics.turnaround_member as m
    on a.check_key = m.check_key and m.grain = 'vendor' and m.outcome <> 'open'
group by v.vendor_name, if(m.check_key is null, a.next_actor, a.next_actor || ', screening is over')
order by v.vendor_name asc nulls last, open_checks desc nulls last, next_actor asc nulls last;
