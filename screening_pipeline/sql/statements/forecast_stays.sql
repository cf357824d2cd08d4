-- How long checks stayed in each state, of those that entered it between `$since` and `$now`.
select
    check_key,
    vendor,
    coalesce(package, '') as package,
    state,
    epoch(entered_at) as entered,
    epoch(seen_until) as seen_until,
    epoch(left_by) as left_by,
    next_state
from analytics.check_stay
where entered_at between $since and $now;
