-- One row per word that an account declares to mean a documented one.
--
-- vendor   vendor
-- account  account
-- value    the account's word
-- meaning  the documented word
-- @refresh base
create table staging.alias (
    vendor varchar,
    account varchar,
    value varchar,
    meaning varchar
)
