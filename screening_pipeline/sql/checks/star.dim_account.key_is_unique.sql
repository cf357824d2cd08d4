-- An account has one row, and its vendor and calendar exist.
select
    a.vendor,
    a.account
from star.dim_account as a
left join star.dim_vendor as v on a.vendor = v.vendor
group by a.vendor, a.account
having
    count(*) > 1
    or bool_or(v.vendor is null)
    or bool_or(a.calendar not in (select c.calendar from star.dim_calendar as c))
