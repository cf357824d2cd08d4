-- The days of one calendar between two dates, counted as business days unless they are weekends or holidays.
insert into star.dim_calendar by name
select
    $code as calendar,
    date,
    is_business_day,
    count(*) filter (where is_business_day) over (order by date asc nulls last) as business_day_number
from (
    select
        day::date as date,
        isodow(day) < 6 and day::date not in (select unnest([$holidays]::date[])) as is_business_day
    from generate_series($first::timestamp, $last::timestamp, interval 1 day) as days (day)
);
