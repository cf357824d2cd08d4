-- One row per account of the configuration.
--
-- vendor                  vendor
-- account                 the account's name, unique within the vendor
-- environment             production, or sandbox
-- calendar                holiday calendar for business days
-- timezone                zone of vendor times without an offset
-- requests_per_minute     calls allowed in a minute
-- adjudication_expected   whether a check without adjudication is unfinished, as declared or as its checks have told
-- e_verify_expected       whether a form without a final E-Verify word is unfinished, declared or told by its forms
-- is_polled               whether it is asked, and not only pushed to
-- is_analyzed             whether the analytics views count it
-- @refresh base
create table star.dim_account (
    vendor varchar,
    account varchar,
    environment varchar,
    calendar varchar,
    timezone varchar,
    requests_per_minute integer,
    adjudication_expected boolean,
    e_verify_expected boolean,
    is_polled boolean,
    is_analyzed boolean
)
