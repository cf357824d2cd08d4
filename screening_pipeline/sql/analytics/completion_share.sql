-- One row per group of checks: which share of them ever completes, by those that were followed to their end.
--
-- grain        what the group is: vendor, package or month (a package's orders of one month)
-- vendor       vendor
-- package      what was ordered; null for a whole vendor, or where nobody says
-- month        first day of the local month of ordering, null for whole vendors and packages
-- n_ended      checks that were seen to end, one way or the other
-- share        share of all checks that complete; null while too many are open longer than any is followed
-- low          lower end of its 95 % interval
-- high         upper end of its 95 % interval
-- share_least  the share if none of the checks followed longest and still open ever completes
-- share_most   the share if all of them complete
-- @refresh view
with
-- Wilson's interval of a share of those that were seen to end: what became of them is known.
shared as (
    select
        grain,
        vendor,
        package,
        month,
        n_ended,
        1.959964 as z,
        incidence_last as share_least,
        incidence_last + unended_last as share_most,
        if(unended_last <= 0.1 and n_ended > 0, incidence_last / (1 - unended_last), null) as share
    from analytics.group_summary
    where unit = 'seconds' and assumption = 'middle'
),

widened as (
    select
        *,
        (share + z * z / (2 * n_ended)) / (1 + z * z / n_ended) as middle,
        z * sqrt(share * (1 - share) / n_ended + z * z / (4 * n_ended * n_ended)) / (1 + z * z / n_ended) as half
    from shared
)

select
    grain,
    vendor,
    package,
    month,
    n_ended,
    share,
    if(share is null, null, greatest(0, middle - half)) as low,
    if(share is null, null, least(1, middle + half)) as high,
    share_least,
    share_most
from widened
