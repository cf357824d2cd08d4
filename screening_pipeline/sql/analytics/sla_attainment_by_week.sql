-- One row per promised turnaround, vendor and local week of ordering: how often it is kept.
--
-- sla_target           star.dim_sla_target
-- vendor               vendor
-- week                 first day of the local week of ordering
-- n                    orders older than the promise that are judged
-- n_met                of those, surely complete in time
-- n_breached           of those, surely not complete in time
-- n_uncertain          of n, in time or not depending on what nobody saw
-- n_young              orders younger than the promise, which are not judged
-- attainment           n_met as a share of those of which it is sure
-- attainment_at_worst  the share of n if all that nobody saw went against the promise
-- attainment_at_best   the share of n if all that nobody saw went for it
-- note                 `too young` where no order of the week can be judged yet
-- @refresh view
with
figure as (
    select
        sla_target,
        vendor,
        ordered_week as week,
        count(is_met_at_best) filter (where is_mature) as n,
        count(*) filter (where is_met and is_mature) as n_met,
        count(*) filter (where not is_met) as n_breached,
        count(*) filter (where is_met_at_worst is distinct from is_met_at_best and is_mature) as n_uncertain,
        count(*) filter (where elapsed_seconds is not null and not is_mature) as n_young
    from analytics.sla_check
    where ordered_week is not null
    group by sla_target, vendor, ordered_week
)

select
    *,
    n_met / nullif(n_met + n_breached, 0) as attainment,
    n_met / nullif(n, 0) as attainment_at_worst,
    (n_met + n_uncertain) / nullif(n, 0) as attainment_at_best,
    if(n = 0 and n_young > 0, 'too young', null) as note
from figure
