-- One row per reject that is settled: nobody has to look at it any more.
--
-- reject_id   which
-- settled_by  file_gone (no file holds that content now), later_file (which holds the row) or hand (rejects --settle)
-- settled_at  since when
-- @refresh base
create table ops.reject_settlement (
    reject_id varchar,
    settled_by varchar,
    settled_at timestamptz
)
