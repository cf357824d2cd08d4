-- Keep the forecasts made `$now` of checks of which none was kept this week; forget those of half a year ago.
insert into ops.check_eta_history by name
select
    check_key,
    made_at,
    p10,
    p50,
    p90,
    chance_late
from ops.check_eta
where
    made_at = $now
    and check_key not in (select h.check_key from ops.check_eta_history as h where h.made_at > $now - interval 7 days);

delete from ops.check_eta_history where made_at < $now - interval 180 days;
