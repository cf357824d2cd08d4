-- Vendors' own names.
select
    vendor,
    vendor_name
from star.dim_vendor
order by vendor_name asc nulls last
