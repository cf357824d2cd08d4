-- One row per vendor and state: how many stays in it came and went without being seen.
--
-- vendor          vendor
-- state           lifecycle; unknown where no state of the vendor was seen often enough to say which
-- made_at         the instant it was counted
-- n_seen          stays in the last year that a look or a message showed
-- n_lost_before   stays that came and went before the first look, estimated from the looks that were made
-- n_lost_between  stays that came and went between two looks, estimated likewise
-- share_lost      both as a share of all stays
-- @refresh view
select
    l.vendor,
    l.state,
    max(l.made_at) as made_at,
    sum(l.n_seen)::bigint as n_seen,
    sum(l.n_lost_before) as n_lost_before,
    sum(l.n_lost_between) as n_lost_between,
    sum(l.n_lost_before + l.n_lost_between)
    / nullif(sum(l.n_seen + l.n_lost_before + l.n_lost_between), 0) as share_lost
from ops.state_loss as l
inner join star.dim_account as a on l.vendor = a.vendor and l.account = a.account
where a.is_analyzed
group by l.vendor, l.state
