-- A person has one row, and it is a pseudonym.
select candidate_key
from star.dim_candidate
group by candidate_key
having count(*) > 1 or not coalesce(regexp_full_match(candidate_key, '[0-9a-f]{32}'), false)
