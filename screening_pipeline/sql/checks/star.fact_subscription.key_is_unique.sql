-- A subscription has one row, and is active as its check is in progress; what the vendor no longer tells stays.
select s.check_key
from star.fact_subscription as s
left join star.fact_check as f on s.check_key = f.check_key
group by s.check_key
having
    count(*) > 1
    or bool_or(f.check_key is null)
    or bool_or(s.is_active and f.lifecycle not in ('in_progress', 'unknown'))
    or bool_or(not s.is_active and f.lifecycle = 'in_progress')
