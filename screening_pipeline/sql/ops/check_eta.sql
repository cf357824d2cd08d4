-- One row per check that was open when it was last forecast when open checks end.
--
-- check_key        the check
-- made_at          the instant of the forecast, made from what was known then
-- changed_at       when the check had changed last, as far as was known then
-- p10              the instant by which it has ended with a chance of 10 in 100
-- p50              the same of 50 in 100
-- p90              the same of 90 in 100
-- chance_over      the chance that it had ended already, unseen, when it was forecast
-- chance_complete  the chance that it ends complete
-- chance_late      the chance that its promise breaks, null where none holds
-- chance_in_time   the chance that it is complete before the day by which it is needed, null where none was told
-- @refresh base
create table ops.check_eta (
    check_key bigint,
    made_at timestamptz,
    changed_at timestamptz,
    p10 timestamptz,
    p50 timestamptz,
    p90 timestamptz,
    chance_over double,
    chance_complete double,
    chance_late double,
    chance_in_time double
)
