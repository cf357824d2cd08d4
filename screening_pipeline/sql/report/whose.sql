-- Whose time the turnarounds of closed checks were, all vendors together.
select
    p.phase,
    sum(p.seconds) as seconds
from analytics.check_phase as p
inner join analytics.check_clock as c on p.check_key = c.check_key
where c.is_included
group by p.phase
order by seconds desc nulls last, p.phase asc nulls last
