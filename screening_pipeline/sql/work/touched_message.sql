-- One row per message about the checks being recomputed, as it was told, and a number to find it again.
--
-- @refresh work
-- Once for all: who joins all messages ever told is planned for millions of rows, and pays for them with each window.
select
    row_number() over () as message_number,
    o.*
from staging.observation as o
inner join touched using (check_key)
