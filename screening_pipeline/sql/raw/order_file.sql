-- One row per manifest that was read; the same content is read once.
--
-- file_sha256  the content
-- file         the name it was first read under
-- row_count    rows in it
-- reject_count rows that could not be read
-- accounts     the accounts that were configured then: with others, rows refused for their account are read again
-- dialect      how it is written where that is not plain CSV: delimiter, encoding, line of the header
-- loaded_at    when
-- run_id       the run that read it
-- @refresh base
create table raw.order_file (
    file_sha256 varchar,
    file varchar,
    row_count integer,
    reject_count integer,
    accounts varchar,
    dialect varchar,
    loaded_at timestamptz,
    run_id varchar
)
