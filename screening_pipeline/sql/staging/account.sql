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
-- flex_fields            the customer's own fields that are shown
-- date_format            how dates are written that are not ISO 8601
-- @refresh base
create table staging.account (
    vendor varchar,
    account varchar,
    environment varchar,
    calendar varchar,
    timezone varchar,
    adjudication_expected boolean,
    is_polled boolean,
    final_adjudications varchar[],
    flex_fields varchar[],
    date_format varchar
)
