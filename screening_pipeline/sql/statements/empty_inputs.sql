-- The tables that a batch brings, empty: every other table's columns and types come from its own SELECT.
create or replace temp table batch_check (
    check_key bigint, vendor varchar, account varchar, subject varchar, check_id varchar, id_hash ubigint
);

create or replace temp table known_state (state_key ubigint);

create or replace temp table touched (check_key bigint);

create or replace temp table recounted (response_id varchar, received_at timestamptz, is_known boolean);

create or replace temp table changed_by (response_id varchar);

create or replace temp table new_order as
select * from raw."order"
where false;
