-- The working days of the week on which nobody works, of the calendars `$calendars`.
select
    calendar,
    date
from star.dim_calendar
where not is_business_day and isodow(date) < 6 and calendar in ($calendars);
