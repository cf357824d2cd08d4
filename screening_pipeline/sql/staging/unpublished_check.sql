-- One row per check each time a batch touched it, since the last snapshot.
--
-- check_key  which check
-- @refresh base
create table staging.unpublished_check (
    check_key bigint
)
