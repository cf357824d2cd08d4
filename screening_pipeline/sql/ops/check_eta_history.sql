-- One row per forecast of a check's end that was told.
--
-- check_key    the check
-- made_at      the instant of the forecast
-- p10          the instant by which it has ended with a chance of 10 in 100
-- p50          the same of 50 in 100
-- p90          the same of 90 in 100
-- chance_late  the chance that its promise breaks, null where none holds
-- @refresh base
create table ops.check_eta_history (
    check_key bigint,
    made_at timestamptz,
    p10 timestamptz,
    p50 timestamptz,
    p90 timestamptz,
    chance_late double
)
