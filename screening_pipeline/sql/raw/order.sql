-- One row per manifest row that could be read, and per first message of a vendor that tells of an order.
--
-- order_seq      running number, in order of arrival
-- file           manifest file, or the call that told it
-- file_sha256    its content; null where a vendor told it
-- line           line in the file, the header is line 1; null where a vendor told it
-- check_key      the check it orders
-- vendor         vendor
-- account        account
-- subject        subject
-- check_id       the vendor's id, as text
-- candidate_key  keyed pseudonym of candidate_ref; the reference itself is not kept
-- package        what was ordered
-- ordered_at     when
-- country        country
-- region         region
-- cost_center    cost center
-- tags           a JSON object
-- needed_by      the day by which it is needed, such as the first day at work
-- loaded_at      when it was read
-- run_id         the run that read it
-- @refresh base
create table raw."order" (
    order_seq bigint,
    file varchar,
    file_sha256 varchar,
    line integer,
    check_key bigint,
    vendor varchar,
    account varchar,
    subject varchar,
    check_id varchar,
    candidate_key varchar,
    package varchar,
    ordered_at timestamptz,
    country varchar,
    region varchar,
    cost_center varchar,
    tags varchar,
    needed_by date,
    loaded_at timestamptz,
    run_id varchar
)
