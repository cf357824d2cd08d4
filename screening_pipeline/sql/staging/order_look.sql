-- One row per order file that was in the folder at the last look: what tells it apart from whatever it becomes.
--
-- file            its name
-- mark            inode, size and time of the last change
-- file_sha256     the content that was read under this mark, null while there is none
-- is_whole        whether all of it was read; the end of a file that may still be being written waits
-- seen_at         when it was first seen with this mark
-- seen_monotonic  the same in seconds of the machine's running time
-- @refresh base
create table staging.order_look (
    file varchar,
    mark varchar,
    file_sha256 varchar,
    is_whole boolean,
    seen_at timestamptz,
    seen_monotonic double
)
