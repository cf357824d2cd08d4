-- One row per landed file: how much of it has been loaded.
--
-- file          its path below the landing folder
-- loaded_bytes  bytes loaded, always whole lines
-- inode         which file it was when it was last looked at, as the system numbers them
-- @refresh base
create table staging.landed_file (
    file varchar,
    loaded_bytes bigint,
    inode bigint
)
