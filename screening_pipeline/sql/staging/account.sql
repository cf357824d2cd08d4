-- One row per account: what reading its messages depends on.
--
-- vendor                 vendor
-- account                account
-- environment            production or sandbox
-- calendar               holiday calendar
-- timezone               zone of times without an offset
-- adjudication_expected  whether a check without adjudication is unfinished
-- final_adjudications    custom adjudications that are final
-- @refresh base
create table staging.account (
    vendor varchar,
    account varchar,
    environment varchar,
    calendar varchar,
    timezone varchar,
    adjudication_expected boolean,
    final_adjudications varchar[]
)
