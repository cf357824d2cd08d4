-- One row per account: what reading its messages depends on.
--
-- vendor                 vendor
-- account                account
-- environment            production or sandbox
-- calendar               holiday calendar
-- timezone               zone of times without an offset
-- adjudication_expected  whether a check without adjudication is unfinished
-- is_polled              whether it is asked, and not only pushed to
-- final_adjudications    custom adjudications that are final
-- @refresh base
create table staging.account (
    vendor varchar,
    account varchar,
    environment varchar,
    calendar varchar,
    timezone varchar,
    adjudication_expected boolean,
    is_polled boolean,
    final_adjudications varchar[]
)
