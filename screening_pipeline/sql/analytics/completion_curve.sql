-- One row per group, unit, assumption and time since ordering: of the checks that complete, the share that has.
--
-- grain               what the group is: vendor, package or month
-- vendor              vendor
-- package             what was ordered; null for a whole vendor, or where nobody says
-- month               first day of the local month of ordering, null for whole vendors and packages
-- unit                seconds (calendar) or business_days
-- assumption          earliest (each end came as early as it can have come), middle or latest
-- time                time since ordering, in that unit
-- n_at_risk           checks neither ended nor out of sight just before that time
-- n_events            checks complete at that time
-- n_otherwise         checks canceled, expired or declined at that time
-- n_censored          open checks that were last looked at then
-- share               share of the checks that ever complete which are complete by that time
-- share_low           lower end of its 95 % interval, null where too few are followed for so long
-- share_high          upper end of its 95 % interval
-- incidence_last      share of all checks that are complete by the last time of the curve
-- unended_last        share of all checks that take longer than the last time of the curve
-- share_if_none_open  the same share if none of those followed longest ever completed
-- share_if_all_open   the same share if all of those followed longest completed
-- @refresh view
with
-- Those followed longest and still open are taken to end as the others did. `n_awaited`: how many of those at risk are
-- to complete, by all that is known; what they do is a curve like that of Kaplan and Meier, with Greenwood's variance.
awaited as (
    select
        *,
        incidence_last / nullif(1 - unended_last, 0) as ultimate,
        incidence_last as ultimate_least,
        incidence_last + unended_last as ultimate_most,
        n_at_risk * (incidence_last / nullif(1 - unended_last, 0) - (incidence - completing))
        / nullif(unended_before, 0) as n_awaited
    from analytics.incidence_curve
),

varied as (
    select
        *,
        if(ultimate > 0, least(1, incidence / ultimate), 0) as share,
        sum(case
            when n_events = 0 then 0
            when n_awaited - n_events > 1e-6 then n_events / (n_awaited * (n_awaited - n_events))
        end) over sequence as variance,
        bool_or(n_events > 0 and not coalesce(n_awaited - n_events > 1e-6, false)) over sequence as is_over
    from awaited
    window sequence as (
        partition by grain, vendor, package, month, unit, assumption
        order by time asc nulls last rows unbounded preceding
    )
),

-- On the scale of log(-log), so that no interval leaves 0 to 1.
widened as (
    select
        *,
        case
            when share > 0 and share < 1 - 1e-12 and not is_over
                then exp(1.959964 * sqrt(variance) / abs(ln(1 - share)))
        end as factor
    from varied
)

select
    grain,
    vendor,
    package,
    month,
    unit,
    assumption,
    time,
    n_at_risk,
    n_events,
    n_otherwise,
    n_censored,
    share,
    if(share > 0, 1 - pow(1 - share, 1 / factor), 0) as share_low,
    if(share > 0, coalesce(1 - pow(1 - share, factor), 1), 0) as share_high,
    incidence_last,
    unended_last,
    incidence / nullif(ultimate_least, 0) as share_if_none_open,
    incidence / nullif(ultimate_most, 0) as share_if_all_open
from widened
