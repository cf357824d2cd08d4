-- One row per account: what the snapshot knows of how it stands.
select
    a.vendor,
    a.account,
    (select count(*) from star.fact_check as f where f.vendor = a.vendor and f.account = a.account) as checks,
    (
        select min(coalesce(f.ordered_at, f.first_observed_at))
        from star.fact_check as f
        where f.vendor = a.vendor and f.account = a.account and f.is_terminal is not true
    ) as oldest_open_at,
    (select count(*) from ops.reject as r where r.vendor = a.vendor and r.account = a.account) as rejects,
    (
        select count(*)
        from ops.unmapped_value as u
        where u.vendor = a.vendor and u.account = a.account and u.is_current
    ) as unmapped,
    (
        select count(distinct c.check_key)
        from ops.mapping_conflict as c
        where c.vendor = a.vendor and c.account = a.account and c.conflict = 'unconfirmed_message'
    ) as unconfirmed,
    coalesce(b.is_overloaded, false) as is_overloaded,
    coalesce(b.states_lost_per_day, 0) as states_lost_per_day
from star.dim_account as a
left join ops.pull_budget as b on a.vendor = b.vendor and a.account = b.account;
