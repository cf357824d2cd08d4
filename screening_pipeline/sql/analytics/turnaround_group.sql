-- One row per group of checks: how many there are, how they were found, and what their figures can rest on.
--
-- grain            what the group is: vendor, package or month (a package's orders of one month)
-- vendor           vendor
-- package          what was ordered; null for a whole vendor, or where nobody says
-- month            first day of the local month of ordering, null for whole vendors and packages
-- n                ordered checks
-- n_completed      of those, complete
-- n_open           of those, neither complete nor ended otherwise when last looked at
-- n_found_ended    of those, ended when first looked at: within what time is known, and no more
-- n_late           of those, first looked at more than a day after the order
-- n_late_ended     of those late ones, ended when first looked at
-- n_used           checks that the group's figures rest on
-- is_left_out      whether late ones that were found ended are left out: others were followed from the start
-- is_entered_late  whether late ones found open count from their first look: who ended before was never seen
-- @refresh view
with
counted as (
    select
        grain,
        vendor,
        package,
        month,
        count(*) as n,
        count(*) filter (where outcome = 'complete') as n_completed,
        count(*) filter (where outcome = 'open') as n_open,
        count(*) filter (where not is_seen_open) as n_found_ended,
        count(*) filter (where is_late) as n_late,
        count(*) filter (where is_late and not is_seen_open) as n_late_ended,
        count(*) filter (where is_late and not is_seen_open and not is_dated) as n_late_undated,
        count(*) filter (where is_observed and not is_late) as n_from_start,
        count(*) filter (where is_observed) as n_observed
    from analytics.turnaround_member
    group by grain, vendor, package, month
),

-- A check is seen late in two cases: it was open for as long, or it had ended. Who leaves out the one has to let the
-- other enter late, and who counts the one from its order has to count the other. Twenty followed from the start are
-- enough to do without what is known of the ended ones, which is only that it took no longer than to the first look.
decided as (
    select
        *,
        n_late_undated > 0 and n_from_start >= 20 as is_left_out
    from counted
)

select
    grain,
    vendor,
    package,
    month,
    n,
    n_completed,
    n_open,
    n_found_ended,
    n_late,
    n_late_ended,
    n_observed - if(is_left_out, n_late_ended, 0) as n_used,
    is_left_out,
    is_left_out or n_late_ended = 0 as is_entered_late
from decided
