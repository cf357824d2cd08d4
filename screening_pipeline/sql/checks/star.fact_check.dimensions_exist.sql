-- What a check points to exists.
select f.check_key
from star.fact_check as f
left join star.dim_vendor as v on f.vendor = v.vendor
left join star.dim_package as p on f.package_key = p.package_key
left join star.dim_candidate as c on f.candidate_key = c.candidate_key
where
    v.vendor is null
    or (f.package_key is not null and p.package_key is null)
    or (f.candidate_key is not null and c.candidate_key is null)
