-- One row per person, known only by a keyed pseudonym.
--
-- candidate_key  the pseudonym: it says nothing without the key, and the same person gets the same one
-- @refresh append candidate_key
select distinct o.candidate_key
from new_order as o
where o.candidate_key is not null
