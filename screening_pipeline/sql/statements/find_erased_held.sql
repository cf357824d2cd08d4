-- One row where the warehouse holds a check or an order of somebody whose hash is among `$digests`.
select 1
from raw."check"
where
    staging.check_hash(vendor, account, subject, check_id) in ($digests)
    or staging.unspecified_hash(vendor, account, check_id) in ($digests)
union all
select 1
from raw."order"
where candidate_key is not null and staging.candidate_hash(candidate_key) in ($digests)
limit 1;
