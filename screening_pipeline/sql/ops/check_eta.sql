-- One row per check that was open when it was last foretold when open checks end.
--
-- check_key        the check
-- made_at          the instant it was foretold, from what was known then
-- p10              the instant by which it has ended with a chance of 10 in 100
-- p50              the same of 50 in 100
-- p90              the same of 90 in 100
-- chance_over      the chance that it had ended already, unseen, when it was foretold
-- chance_complete  the chance that it ends complete
-- chance_late      the chance that its promise breaks, null where none holds
-- @refresh base
create table ops.check_eta (
    check_key bigint,
    made_at timestamptz,
    p10 timestamptz,
    p50 timestamptz,
    p90 timestamptz,
    chance_over double,
    chance_complete double,
    chance_late double
)
