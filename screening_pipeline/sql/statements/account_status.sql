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
    (select count(*) from ops.open_reject as r where r.vendor = a.vendor and r.account = a.account) as rejects,
    (
        select count(*)
        from ops.unmapped_value as u
        where u.vendor = a.vendor and u.account = a.account and u.is_current
    ) as unmapped,
    (
        select count(distinct c.check_key)
        from ops.mapping_conflict as c
        where
            c.vendor = a.vendor and c.account = a.account and c.conflict = 'unconfirmed_message'
            and c.is_current
    ) as unconfirmed,
    (
        select count(distinct split_part(p.component_id, '|', 1))
        from star.fact_check_component as p
        where p.vendor = a.vendor and p.account = a.account and p.is_label_hidden
    ) as hidden_labels,
    (
        select count(*)
        from ops.feed_gap as g
        where g.vendor = a.vendor and g.account = a.account and g.settled_at is null
    ) as open_gaps,
    (
        select max(g.requested_at)
        from ops.feed_gap as g
        where g.vendor = a.vendor and g.account = a.account
    ) as last_gap_at,
    coalesce(b.is_overloaded, false) as is_overloaded,
    coalesce(b.states_lost_per_day, 0) as states_lost_per_day,
    (
        select
            sum(l.n_lost_before + l.n_lost_between)
            / nullif(sum(l.n_seen + l.n_lost_before + l.n_lost_between), 0)
        from ops.state_loss as l
        where l.vendor = a.vendor and l.account = a.account
    ) as states_lost_share
from star.dim_account as a
left join ops.pull_budget as b on a.vendor = b.vendor and a.account = b.account;
