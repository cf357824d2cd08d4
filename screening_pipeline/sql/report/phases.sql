-- Whose time turnarounds are made of.
select * from analytics.turnaround_phases
where n_touched > 0
order by vendor asc nulls last, phase asc nulls last
