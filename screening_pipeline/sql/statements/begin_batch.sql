-- Begin a batch: nothing was read, no check is touched. Several loads may follow and add up.
create or replace temp table batch_touched (check_key bigint, is_late boolean);

create or replace temp table batch_response (response_id varchar, received_at timestamptz);

create or replace temp table batch_package (package_id varchar);
