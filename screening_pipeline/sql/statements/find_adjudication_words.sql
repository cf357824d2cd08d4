-- The adjudication words of a vendor that have a meaning.
select distinct value
from star.dim_vendor_status
where vendor = $vendor and field = 'adjudication'
order by value asc nulls last;
