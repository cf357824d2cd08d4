-- One row per vendor with checks that were opened again: how many, and for how long.
--
-- vendor          vendor
-- n               checks opened again after they had ended
-- n_open          of those, that are open now
-- n_disputed      of those, that a dispute opened
-- p50_ended_for   median calendar seconds for which they had been complete
-- p50_open_again  median calendar seconds for which they were open again, or are
-- @refresh view
select
    vendor,
    count(*) as n,
    count(*) filter (where is_open) as n_open,
    count(*) filter (where is_disputed) as n_disputed,
    quantile_cont(ended_for_seconds, 0.5) as p50_ended_for,
    quantile_cont(open_again_seconds, 0.5) as p50_open_again
from analytics.reopened_checks
group by vendor
