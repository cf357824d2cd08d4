-- A package has one row.
select package_key
from star.dim_package
group by package_key
having count(*) > 1 or package_key is null
