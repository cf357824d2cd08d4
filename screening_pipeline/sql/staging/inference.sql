-- One row per account and kind of word that its checks have told: from then on it is expected of all of them.
--
-- vendor   vendor
-- account  account
-- word     adjudication or e_verify
-- @refresh base
create table staging.inference (
    vendor varchar,
    account varchar,
    word varchar
)
