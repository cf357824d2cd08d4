-- What the page is about: of when, of how much.
select
    strftime(max(latest_at), '%-d %b %Y, %H:%M UTC') as as_of,
    count(*) as accounts,
    (select count(*) from analytics.check_clock) as checks,
    (select count(*) from analytics.open_check_ageing) as open_checks,
    (select count(*) from analytics.open_check_ageing where is_stale) as stale
from analytics.account_horizon
