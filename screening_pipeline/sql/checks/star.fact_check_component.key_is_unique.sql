-- A part has one row within its check, and its kind exists.
select p.check_key
from star.fact_check_component as p
left join star.dim_check_type as t on p.check_type_key = t.check_type_key
group by p.check_key, p.component_id
having count(*) > 1 or bool_or(t.check_type_key is null)
