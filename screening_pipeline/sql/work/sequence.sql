-- One row per message about the checks being recomputed, in the order that counts, and whether it is applied.
--
-- @refresh work
-- Both halves have the same columns.
select * from weighed_message -- noqa: AM07
union all by name
select
    * exclude (evidence, detail_role, quiet_until),
    false as is_duplicate,
    false as is_contradicted,
    true as is_applied,
    false as is_unconfirmed
from message_history
anti join weighed_message using (check_key)
