-- How long the packages of a vendor take of which most are closed.
select * replace (coalesce(package, 'no package') as package)
from analytics.turnaround_by_package
where n > 0
qualify
    row_number() over (
        partition by vendor order by n desc nulls last, coalesce(package, 'no package') asc nulls last
    ) <= 6
order by vendor asc nulls last, n desc nulls last, package asc nulls last
