-- One row where the warehouse holds a check or an order of somebody whose hash is among `$hashes`.
select 1
from raw."check"
where
    staging.check_hash(vendor, account, subject, check_id) in ($hashes) -- noqa: PRS
    or staging.unspecified_hash(vendor, account, check_id) in ($hashes)
union all
select 1
from raw."order"
where candidate_key is not null and staging.candidate_hash(candidate_key) in ($hashes)
limit 1;
