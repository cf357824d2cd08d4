-- A kind of part has one row.
select check_type_key
from star.dim_check_type
group by check_type_key
having count(*) > 1 or check_type_key is null
