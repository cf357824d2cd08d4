-- One row per vendor, unit, assumption and time since ordering at which checks completed or were last open.
--
-- vendor      vendor
-- unit        seconds (calendar) or business_days
-- assumption  latest (each completion came as late as it can have come), middle or earliest
-- time        time since ordering, in that unit
-- n_at_risk   checks not complete, and still followed, just before that time
-- n_events    checks completed at that time
-- n_censored  open checks that are only known to take longer than that time
-- survival    Kaplan–Meier estimate of the share of all checks that take longer than that time
-- @refresh view
with
assumed as (
    select
        vendor,
        is_complete,
        unnest(
            [
                {'unit': 'seconds', 'assumption': 'latest', 'time': observed_seconds::double},
                {'unit': 'seconds', 'assumption': 'earliest', 'time': observed_seconds_earliest::double},
                {
                    'unit': 'seconds',
                    'assumption': 'middle',
                    'time': (observed_seconds + observed_seconds_earliest) / 2
                },
                {'unit': 'business_days', 'assumption': 'latest', 'time': observed_business_days::double},
                {
                    'unit': 'business_days',
                    'assumption': 'earliest',
                    'time': observed_business_days_earliest::double
                },
                {
                    'unit': 'business_days',
                    'assumption': 'middle',
                    'time': (observed_business_days + observed_business_days_earliest) / 2
                }
            ],
            recursive := true
        )
    from analytics.check_clock
    where observed_seconds is not null
),

tally as (
    select
        vendor,
        unit,
        assumption,
        time,
        count(*) filter (where is_complete) as n_events,
        count(*) filter (where not is_complete) as n_censored
    from assumed
    where time is not null
    group by vendor, unit, assumption, time
),

risk as (
    select
        *,
        -- A check censored at an instant was still open at it, so it counts among those at risk then.
        (sum(n_events + n_censored) over (
            partition by vendor, unit, assumption order by time desc nulls last rows unbounded preceding
        ))::bigint as n_at_risk
    from tally
)

select
    vendor,
    unit,
    assumption,
    time,
    n_at_risk,
    n_events,
    n_censored,
    product(1 - n_events / n_at_risk) over (
        partition by vendor, unit, assumption order by time asc nulls last rows unbounded preceding
    ) as survival
from risk
