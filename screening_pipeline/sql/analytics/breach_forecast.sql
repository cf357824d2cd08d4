-- One row per vendor and local week to come: how many promises of open checks will break.
--
-- vendor    vendor
-- week      first day of the local week in which the promises are due
-- n         open checks whose promise is due then
-- expected  how many of them will break it
-- low       lower end of an 80 % interval of that number
-- high      upper end of it
-- @refresh view
with
due as (
    select
        e.vendor,
        date_trunc('week', star.local_time(a.timezone, e.due_at))::date as week,
        e.chance_late
    from analytics.open_check_eta as e
    inner join star.dim_account as a on e.vendor = a.vendor and e.account = a.account
    where e.due_at > e.made_at and e.chance_late is not null
)

select
    vendor,
    week,
    count(*) as n,
    sum(chance_late) as expected,
    greatest(0, sum(chance_late) - 1.2816 * sqrt(sum(chance_late * (1 - chance_late)))) as low,
    least(count(*), sum(chance_late) + 1.2816 * sqrt(sum(chance_late * (1 - chance_late)))) as high
from due
group by vendor, week
