-- The figures at the head of the page, now and thirty days before, as of the last that vendors told.
with
moments as (
    select
        u.label,
        h.latest_at - to_days(u.days_ago) as until_at
    from (select max(latest_at) as latest_at from analytics.account_horizon) as h
    cross join (values ('now', 0), ('before', 30)) as u (label, days_ago)
    where h.latest_at is not null
)

select
    m.label,
    median(c.seconds) filter (where c.ended_at > m.until_at - to_days(30) and c.ended_at <= m.until_at) as median,
    count(*) filter (where c.ended_at > m.until_at - to_days(30) and c.ended_at <= m.until_at and c.is_included)
        as completed,
    count(*) filter (where c.ordered_at > m.until_at - to_days(30)) as ordered,
    count(*) filter (where c.is_open or c.ended_at > m.until_at) as open
from moments as m
inner join analytics.check_clock as c on m.until_at >= c.ordered_at
group by m.label
