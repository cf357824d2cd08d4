-- A check is closed while it is done, and not while it is open.
select check_key
from star.fact_check
where is_terminal is distinct from (closed_at is not null)
