-- One row per calendar and day: whether it is a business day, and the running number of business days.
--
-- calendar             an account's holiday calendar, such as US or AU-NSW
-- date                 the day
-- is_business_day      neither weekend nor holiday
-- business_day_number  running number of business days; a weekend or holiday has that of the day before it
-- @refresh base
create table star.dim_calendar (
    calendar varchar,
    date date,
    is_business_day boolean,
    business_day_number integer
)
