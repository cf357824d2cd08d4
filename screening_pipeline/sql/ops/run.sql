-- One row per cycle.
--
-- run_id         the Dagster run
-- started_at     when it began
-- finished_at    when it ended
-- trigger        what asked for it
-- order_count    manifest rows read
-- call_count     calls made
-- changed_count  checks whose state changed
-- reject_count   answers and rows that could not be read
-- failed_accounts accounts that could not be pulled
-- @refresh base run_id
create table ops.run (
    run_id varchar,
    started_at timestamptz,
    finished_at timestamptz,
    trigger varchar,
    order_count integer,
    call_count integer,
    changed_count integer,
    reject_count integer,
    failed_accounts varchar[]
)
