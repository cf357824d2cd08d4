-- One row per day.
--
-- date          the day
-- year          year
-- quarter       quarter, 1 to 4
-- month         month, 1 to 12
-- month_start   first day of its month
-- iso_week      ISO week
-- iso_weekday   1 is Monday
-- is_weekend    Saturday or Sunday
-- @refresh once
select
    d::date as date,
    year(d)::integer as year,
    quarter(d)::integer as quarter,
    month(d)::integer as month,
    date_trunc('month', d)::date as month_start,
    weekofyear(d)::integer as iso_week,
    isodow(d)::integer as iso_weekday,
    isodow(d) >= 6 as is_weekend
from generate_series(date '2010-01-01', date '2040-12-31', interval 1 day) as s (d)
