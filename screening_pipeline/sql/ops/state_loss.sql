-- One row per account and state: how many stays in it were seen, and how many probably were not, in the last year.
--
-- vendor          vendor
-- account         account
-- state           lifecycle; unknown where no state of the vendor was seen often enough to say which
-- made_at         the instant it was counted
-- n_seen          stays that a look or a message showed
-- n_lost_before   stays that came and went before the first look, estimated
-- n_lost_between  stays that came and went between two looks, estimated
-- @refresh base
create table ops.state_loss (
    vendor varchar,
    account varchar,
    state varchar,
    made_at timestamptz,
    n_seen bigint,
    n_lost_before double,
    n_lost_between double
)
