-- How old open checks are, and who holds them.
select
    age,
    phase,
    sum(n)::bigint as open_checks
from analytics.open_checks_by_age
group by age, phase
order by age asc nulls last, phase asc nulls last
