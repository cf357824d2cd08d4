-- One row per account: how the pipeline gets on with it.
--
-- vendor            vendor
-- account           account
-- cool_down_until   no calls before, because the vendor said so
-- stopped_code      why the account was stopped, null while it runs
-- stopped_at        since when
-- last_error        the last error's code
-- last_error_at     when
-- last_success_at   the last answer that could be read
-- @refresh base
create table ops.account_state (
    vendor varchar,
    account varchar,
    cool_down_until timestamptz,
    stopped_code varchar,
    stopped_at timestamptz,
    last_error varchar,
    last_error_at timestamptz,
    last_success_at timestamptz
)
