-- Since when a zone has which offset.
-- Looked for in the days on which it is another than the day before, in these in the hours, in those in the minutes.
with
day as (
    select
        d,
        epoch_us(timezone($zone, d)) - epoch_us(d) as offset_us
    from generate_series($since::timestamptz, $until::timestamptz, interval 24 hours) as s (d)
),

hour as (
    select
        h,
        epoch_us(timezone($zone, h)) - epoch_us(h) as offset_us
    from (
        select d from day
        qualify offset_us is distinct from lag(offset_us) over (order by d asc nulls last)
    ), unnest(generate_series(d - interval 24 hours, d, interval 1 hour)) as t (h)
),

minute as (
    select
        m,
        epoch_us(timezone($zone, m)) - epoch_us(m) as offset_us
    from (
        select h from hour
        qualify offset_us is distinct from lag(offset_us) over (order by h asc nulls last)
    ), unnest(generate_series(h - interval 1 hour, h, interval 1 minute)) as t (m)
)

select
    epoch_us(m) as since,
    offset_us
from minute
qualify offset_us is distinct from lag(offset_us) over (order by m asc nulls last)
order by since asc nulls last;
