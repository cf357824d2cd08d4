-- No open check contradicts itself now, and no message waits for a confirmation that nobody can give.
-- The other contradictions of ended checks are listed, and nothing is to be done.
-- every run
-- severity: warn
-- fix: See ops.mapping_conflict; ask the vendor which of the two is so. Its next message, or one pull, settles it.
select
    c.check_key,
    c.conflict
from ops.mapping_conflict as c
inner join star.fact_check as f on c.check_key = f.check_key
where c.is_current and (f.is_terminal is not true or c.conflict = 'unconfirmed_message')
