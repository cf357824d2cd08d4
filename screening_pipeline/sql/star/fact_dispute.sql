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
change as (
    select
        check_key,
        observed_at,
        place,
        dispute,
        dispute = 'open'
        and lag(dispute, 1, 'none') over (partition by check_key order by place) <> 'open' as is_opening
    from applied
),

numbered as (
    select
        *,
        sum(if(is_opening, 1, 0)) over (partition by check_key order by place rows unbounded preceding) as dispute_seq
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
