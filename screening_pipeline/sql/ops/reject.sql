-- One row per answer, message, landed line or manifest row that could not be read.
--
-- reject_id      which
-- source         response, push, message (one of several in an answer), part (something within a message), landing or
--                manifest
-- vendor         vendor, where it is known
-- account        account, where it is known
-- check_id       id asked for, where it is known
-- response_id    the response; its body stays in raw.response
-- message_index  the message within it, from 1
-- file           manifest file, or landed file
-- line           line in it, of a manifest; of a landed file `detail` tells the byte
-- reason         code of what is wrong
-- detail         for a person, or the address of the part; never a value of a payload
-- row_key        keyed hash of the vendor and id of a manifest row, by which a later file may be seen to hold it
-- rejected_at    since when
-- @refresh base reject_id
create table ops.reject (
    reject_id varchar,
    source varchar,
    vendor varchar,
    account varchar,
    check_id varchar,
    response_id varchar,
    message_index integer,
    file varchar,
    line integer,
    reason varchar,
    detail varchar,
    row_key varchar,
    rejected_at timestamptz
)
