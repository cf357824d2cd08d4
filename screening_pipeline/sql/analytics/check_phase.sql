-- One row per check and party: for how long that party had to act on it, from ordered until its clock stopped.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- phase                candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- seconds              calendar seconds, each change of hands at its first observation or the vendor's time
-- seconds_least        the least it can have been: time between looks that showed the same party
-- seconds_most         the most it can have been: all time but what was surely another party's
-- business_days        business days, by running numbers, so that those of all phases add up; null before 2010
-- business_days_least  the least business days it can have been
-- business_days_most   the most business days it can have been
-- @refresh view
with
-- Whoever held a running check when it was last seen is taken to hold it still; it can be anybody's since.
run_on as (
    select
        p.*,
        if(p.is_running, greatest(0, epoch_us(h.known_at) - epoch_us(p.until_at)), 0) as unseen_us,
        if(p.is_running and h.known_at > p.until_at, h.known_day - p.until_day, 0) as unseen_days
    from star.fact_check_phase as p
    inner join analytics.account_horizon as h on p.vendor = h.vendor and p.account = h.account
    where not p.is_running or h.known_at >= p.until_at
)

select
    check_key,
    vendor,
    account,
    phase,
    ((held_us + if(is_holding, unseen_us, 0)) // 1000000)::bigint as seconds,
    (least_us // 1000000)::bigint as seconds_least,
    ((most_us + unseen_us) // 1000000)::bigint as seconds_most,
    (held_days + if(is_holding, unseen_days, 0))::bigint as business_days,
    least_days as business_days_least,
    (most_days + unseen_days)::bigint as business_days_most
from run_on
