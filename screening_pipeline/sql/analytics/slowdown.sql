-- One row per vendor and state: whether checks leave it more slowly than they did.
--
-- vendor    vendor
-- state     lifecycle
-- made_at   the instant it was counted
-- since_at  from when on it is counted; what was before tells what is usual
-- n_left    stays in a state that ended since
-- expected  stays that would have ended since, had it been as before
-- times     how many times as long a stay takes as before
-- is_slow   whether that is more than chance: four standard deviations, and a third longer
-- @refresh view
select
    vendor,
    state,
    made_at,
    since_at,
    n_left,
    expected,
    (expected + 1) / (n_left + 1) as times,
    expected > 1.3 * n_left and (expected - n_left) / sqrt(greatest(expected, 1)) > 4 as is_slow
from ops.vendor_pace
