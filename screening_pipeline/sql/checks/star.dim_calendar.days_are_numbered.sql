-- A business day has the number after that of the day before, any other day the same.
select
    calendar,
    date
from (
    select
        *,
        lag(date) over days as day_before,
        lag(business_day_number, 1, 0) over days as number_before
    from star.dim_calendar
    window days as (partition by calendar order by date asc nulls last)
)
where
    business_day_number <> number_before + is_business_day::integer
    or (day_before is not null and date <> day_before + 1)
