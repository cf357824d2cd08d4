-- One row per group, unit, assumption and time since ordering: which share of all checks is complete by then.
--
-- grain               what the group is: vendor, package or month
-- vendor              vendor
-- package             what was ordered; null for a whole vendor, or where nobody says
-- month               first day of the local month of ordering, null for whole vendors and packages
-- unit                seconds (calendar) or business_days
-- assumption          earliest (each end came as early as it can have come), middle or latest
-- time                time since ordering, in that unit
-- n_at_risk           checks neither ended nor out of sight just before that time
-- n_entered           checks that came under watch at that time, later than they were ordered
-- n_events            checks complete at that time
-- n_otherwise         checks canceled, expired or declined at that time
-- n_censored          open checks that were last looked at then
-- unended_before      share of all checks that take at least that time, whatever their end
-- unended             share of all checks that take longer than that time, whatever their end
-- completing          share of all checks that complete at that time
-- incidence           share of all checks that are complete by that time
-- incidence_last      share of all checks that are complete by the last time of the curve
-- unended_last        share of all checks that take longer than the last time of the curve
-- @refresh view
with
-- The estimator of Aalen and Johansen: other ends compete with completion. Who is at risk is yet to leave, and has
-- come under watch.
risk as (
    select
        *,
        n_events + n_otherwise as n_ended,
        coalesce(sum(n_entered) over (
            partition by grain, vendor, package, month, unit, assumption
            order by time asc nulls last rows between 1 following and unbounded following
        ), 0) as n_to_enter,
        (
            sum(n_events + n_otherwise + n_censored) over (
                partition by grain, vendor, package, month, unit, assumption
                order by time asc nulls last rows between current row and unbounded following
            ) - n_to_enter
        )::bigint as n_at_risk
    from analytics.incidence_tally
),

-- Where the last one under watch ends while others are yet to enter, not all have ended: those show it. There the
-- step is that of Breslow, which never falls to nothing.
stepped as (
    select
        *,
        case
            when n_ended = 0 or n_at_risk = 0 then 1
            when n_ended < n_at_risk or n_to_enter = 0 then 1 - n_ended / n_at_risk
            else exp(-1)
        end as step
    from risk
),

survived as (
    select
        *,
        product(step) over (
            partition by grain, vendor, package, month, unit, assumption
            order by time asc nulls last rows unbounded preceding
        ) as unended,
        coalesce(product(step) over (
            partition by grain, vendor, package, month, unit, assumption
            order by time asc nulls last rows between unbounded preceding and 1 preceding
        ), 1) as unended_before
    from stepped
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
    n_entered,
    n_events,
    n_otherwise,
    n_censored,
    unended_before,
    unended,
    if(n_events > 0, (unended_before - unended) * n_events / n_ended, 0) as completing,
    sum(completing) over sequence as incidence,
    sum(completing) over whole as incidence_last,
    min(unended) over whole as unended_last
from survived
window
    sequence as (
        partition by grain, vendor, package, month, unit, assumption
        order by time asc nulls last rows unbounded preceding
    ),
    whole as (partition by grain, vendor, package, month, unit, assumption)
