-- One row per check being recomputed: which one it is.
--
-- @refresh work
-- Once for all: among millions of checks, who joins the registry itself is lucky if the few are looked up in it.
select c.*
from raw."check" as c
inner join touched using (check_key)
-- What went on as another check is that check.
where c.check_key not in (select k.continues_key from staging.continuation as k)
