-- One row per instant at which something showed a check being recomputed: when that was, and as of when it showed it.
--
-- @refresh work
-- An answer, whether or not it changed anything, or a change that anything told. A dated message shows the check as it
-- was at its date, however late it comes.
select
    check_key,
    received_at as observed_at,
    received_at as seen_at
from touched_message
where channel = 'pull' and not is_of_beginning
union all
select
    q.check_key,
    q.received_at as observed_at,
    if(q.channel = 'pull', q.received_at, least(q.occurred_at, q.received_at)) as seen_at
from applied as e
inner join sequence as q on e.message_number = q.message_number
where e.is_change
