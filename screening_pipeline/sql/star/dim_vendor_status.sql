-- One row per vendor word: what it means on each axis, and where we have that from.
--
-- vendor            vendor
-- subject           subject the word speaks about
-- field             which word: status, detail, result, adjudication, dispute, action, run or of a component
-- value             the vendor's word, exactly as spelt
-- lifecycle         lifecycle axis
-- lifecycle_reason  why it ended
-- result            result axis
-- adjudication      adjudication axis
-- dispute           dispute axis
-- next_actor        who has to act
-- implied_status    the status words that agree with this detail
-- source            documented, other_pages, undocumented or inferred
-- note              why it is read so
-- valid_from        first day on which the word has this meaning
-- valid_to          first day on which it no longer has it
-- mapping_version   fingerprint of the mapping file
-- @refresh base
create table star.dim_vendor_status (
    vendor varchar,
    subject varchar,
    field varchar,
    value varchar,
    lifecycle varchar,
    lifecycle_reason varchar,
    result varchar,
    adjudication varchar,
    dispute varchar,
    next_actor varchar,
    implied_status varchar,
    source varchar,
    note varchar,
    valid_from date,
    valid_to date,
    mapping_version varchar
)
