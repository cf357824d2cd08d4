-- One row per completed part of a check being recomputed: its last look before, and which business days these were.
--
-- @refresh work
-- Whatever showed the check before, showed the part not complete.
with
looked as (
    select
        p.check_key,
        p.component_id,
        p.completed_at,
        max(k.seen_at) as seen_before_at
    from shown_part as p
    left join part_look as k on p.check_key = k.check_key and p.completed_at > k.observed_at
    where p.completed_at is not null
    group by p.check_key, p.component_id, p.completed_at
)

select
    p.check_key,
    p.component_id,
    p.seen_before_at,
    end_day.business_day_number as completed_day,
    early_day.business_day_number as seen_before_day
from looked as p
inner join concerned as c on p.check_key = c.check_key
left join star.dim_account as a on c.vendor = a.vendor and c.account = a.account
left join star.dim_calendar as end_day
    on a.calendar = end_day.calendar and star.local_time(a.timezone, p.completed_at)::date = end_day.date
left join star.dim_calendar as early_day
    on a.calendar = early_day.calendar and star.local_time(a.timezone, p.seen_before_at)::date = early_day.date
