-- One row per check ever announced or seen; the registry that gives each its number.
--
-- check_key      running number, in order of arrival
-- vendor         vendor
-- account        account
-- subject        subject
-- check_id       the vendor's id, as whoever told of it first has written it
-- id_hash        hash of the four, to find it again however its id is written
-- first_seen_at  when it was first announced or seen
-- is_announced   whether an order announced it, or only a message (a stub)
-- @refresh base
create table raw."check" (
    check_key bigint,
    vendor varchar,
    account varchar,
    subject varchar,
    check_id varchar,
    id_hash ubigint,
    first_seen_at timestamptz,
    is_announced boolean
)
