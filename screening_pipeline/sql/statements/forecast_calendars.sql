-- The zone of each analyzed account, and the working days of the week on which nobody works there.
select
    a.vendor,
    a.account,
    a.timezone,
    d.date
from star.dim_account as a
left join star.dim_calendar as d on a.calendar = d.calendar and not d.is_business_day and isodow(d.date) < 6
where a.is_analyzed
order by a.vendor asc nulls last, a.account asc nulls last;
