-- How many open checks take longer than was promised, and how many are expected to within two weeks.
select
    (select count(distinct check_key) from analytics.sla_breaches where is_running) as broken,
    (
        select sum(expected) from analytics.breach_forecast
        where week < (select max(latest_at) from analytics.account_horizon) + to_days(14)
    ) as expected
