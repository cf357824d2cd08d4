-- One row per dispute that a person raised about a check.
--
-- check_key    the check
-- vendor       vendor
-- account      account
-- subject      what kind of thing the vendor checks
-- check_id     the vendor's id, as text
-- dispute_seq  1, 2, … within the check
-- opened_at    the first observation of the open dispute
-- closed_at    the first observation of its end, null while open
-- @refresh check_key
with
told as (
    select
        e.check_key,
        e.observed_at,
        e.place,
        r.dispute
    from applied as e
    inner join staging.reading as r on e.state_key = r.state_key
),

-- Few checks are ever disputed.
disputed as (
    select distinct check_key from told
    where dispute = 'open'
),

change as (
    select
        *,
        -- A word that nobody mapped neither ends a dispute nor opens another.
        dispute = 'open'
        and coalesce(lag(nullif(dispute, 'unknown') ignore nulls) over earlier, 'none') <> 'open' as is_opening
    from told
    semi join disputed using (check_key)
    window earlier as (partition by check_key order by place asc nulls last)
),

numbered as (
    select
        *,
        sum(if(is_opening, 1, 0)) over (
            partition by check_key order by place asc nulls last rows unbounded preceding
        ) as dispute_seq
    from change
)

select
    n.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    n.dispute_seq::integer as dispute_seq,
    min(n.observed_at) as opened_at,
    min(n.observed_at) filter (where n.dispute in ('closed', 'none')) as closed_at
from numbered as n
inner join concerned as c on n.check_key = c.check_key
where n.dispute_seq > 0
group by all
