-- One row where the warehouse holds a check or an order of somebody whose hash is among `$digests`.
select 1
from (select unnest(staging.erased_hashes(vendor, account, subject, check_id)) as pseudonym from raw."check")
where pseudonym in ($digests)
union all
select 1
from raw."order"
where candidate_key is not null and staging.candidate_hash(candidate_key) in ($digests)
limit 1;
