-- One row per vendor, age and whoever has to act: how many open checks are so old.
--
-- vendor  vendor
-- age     under 1 day, 1 to 3 days, 3 to 7 days, 1 to 2 weeks, 2 to 4 weeks or over 30 days since it was ordered
-- phase   candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- n       open checks; those of which nothing tells an age are left out
-- @refresh view
select
    vendor,
    case
        when age_seconds < 86400 then 'under 1 day'
        when age_seconds < 3 * 86400 then '1 to 3 days'
        when age_seconds < 7 * 86400 then '3 to 7 days'
        when age_seconds < 14 * 86400 then '1 to 2 weeks'
        when age_seconds < 30 * 86400 then '2 to 4 weeks'
        else 'over 30 days'
    end as age,
    star.phase_of(next_actor) as phase,
    count(*) as n
from analytics.open_check_ageing
where age_seconds is not null
group by all
