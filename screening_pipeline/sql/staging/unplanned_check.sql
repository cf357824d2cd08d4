-- One row per check each time a batch touched it, since its pull was planned.
--
-- check_key  which check
-- @refresh base
create table staging.unplanned_check (
    check_key bigint
)
