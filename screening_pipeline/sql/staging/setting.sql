-- One row per fact about this warehouse itself.
--
-- name   what
-- value  its value
-- @refresh base
create table staging.setting (
    name varchar,
    value varchar
)
