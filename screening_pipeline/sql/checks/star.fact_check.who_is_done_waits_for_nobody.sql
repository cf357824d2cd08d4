-- Nothing is done that waits for its client: only what a result asks of the client comes after the end of a check.
-- every run
select check_key
from star.fact_check
where
    is_terminal and next_actor = 'client'
    and (subject = 'i9' or result not in ('consider', 'referred'))
