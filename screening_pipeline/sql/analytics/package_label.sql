-- One row per vendor and package: what people call it, told apart from others of the same name.
--
-- vendor   vendor
-- package  as ordered; else the vendor's id of it
-- label    the vendor's name of it, followed by what is ordered where two have that name
-- @refresh view
with
named as (
    select
        vendor,
        package,
        coalesce(any_value(package_name order by package_key asc nulls last), package) as package_name
    from star.dim_package
    group by vendor, package
)

select
    vendor,
    package,
    if(
        count(*) over (partition by vendor, package_name) > 1, concat(package_name, ' ', package), package_name
    ) as label
from named
