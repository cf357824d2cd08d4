-- A check that is done has no next pull, an open one has.
-- every run
select check_key
from star.fact_check
where is_terminal is distinct from (next_pull_at is null)
