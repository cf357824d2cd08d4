-- One row per check that goes on as another: an invitation that led to a report. The two are one check.
--
-- continues_key  what led to it: it has no row of its own any more
-- check_key      the check, which has its history and its orders
-- @refresh base
create table staging.continuation (
    continues_key bigint,
    check_key bigint
)
