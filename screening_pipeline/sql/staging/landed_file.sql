-- One row per landed file: how much of it has been loaded.
--
-- file          its path below the landing folder
-- loaded_bytes  bytes loaded, always whole lines
-- @refresh base
create table staging.landed_file (
    file varchar,
    loaded_bytes bigint
)
