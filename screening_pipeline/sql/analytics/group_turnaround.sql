-- One row per group of checks: how long they take, from their order to complete, in days.
--
-- grain                what the group is: vendor, package or month (a package's orders of one month)
-- vendor               vendor
-- package              what was ordered; null for a whole vendor, or where nobody says
-- month                first day of the local month of ordering, null for whole vendors and packages
-- n                    ordered checks
-- n_completed          of those, complete
-- n_open               of those, neither complete nor ended otherwise when last looked at
-- median_days          days by which half of the checks that complete have; null where no point is known
-- low                  the least that can be: each end as early as it can have come
-- high                 the most that can be: each end as late as it can have come
-- ci_low               lower end of the median's 95 % interval
-- ci_high              upper end of the median's 95 % interval
-- p90_days             days by which 90 in 100 of the checks that complete have; null where no point is known
-- p90_low              the least that can be
-- p90_high             the most that can be
-- median_business_days business days by which half of the checks that complete have
-- share_completing     share of all checks that ever complete
-- note                 what to know before using the row, null where there is nothing
-- @refresh view
with
known as (
    select
        g.*,
        s.* exclude (grain, vendor, package, month),
        s.medians[2] / 86400 as p50,
        s.p90s[2] / 86400 as p90,
        if(s.is_p50_bounded, s.p50_last, null) as p50_most,
        if(s.is_p90_bounded, s.p90_last, null) as p90_most,
        g.n_used >= 10 as is_enough,
        g.n_used >= 20 as is_enough_for_p90,
        -- Half of them may have come as soon as they were ordered, for all that is known.
        coalesce(s.medians[1] <= 0, false) as is_at_most,
        coalesce(s.p90s[1] <= 0, false) as is_p90_at_most
    from analytics.turnaround_group as g
    left join analytics.group_bound as s
        on
            g.grain = s.grain and g.vendor = s.vendor
            and g.package is not distinct from s.package and g.month is not distinct from s.month
)

select
    grain,
    vendor,
    package,
    month,
    n,
    n_completed,
    n_open,
    if(is_enough and not is_at_most and p50_most is not null, round(p50, 4), null) as median_days,
    if(is_enough, round(p50_least, 4), null) as low,
    if(is_enough, round(p50_most, 4), null) as high,
    if(is_enough and not is_at_most, round(ci_low, 4), null) as ci_low,
    if(is_enough, round(if(is_at_most, ci_high_latest, ci_high), 4), null) as ci_high,
    if(is_enough_for_p90 and not is_p90_at_most and p90_most is not null, round(p90, 4), null) as p90_days,
    if(is_enough_for_p90, round(p90_least, 4), null) as p90_low,
    if(is_enough_for_p90, round(p90_most, 4), null) as p90_high,
    if(is_enough and not is_at_most and p50_most is not null, median_business_days, null) as median_business_days,
    if(unended_last <= 0.1, round(incidence_last / nullif(1 - unended_last, 0), 4), null) as share_completing,
    nullif(concat_ws(
        '; ',
        case
            when n_used = 0 then 'none of them was ever looked at'
            when not is_enough then concat('not enough for a median: ', n_used, ' of 10 checks')
            when not is_enough_for_p90 then concat('not enough for 90 in 100: ', n_used, ' of 20 checks')
        end,
        if(
            is_enough and is_at_most,
            concat(
                'half take ', round(p50_most, 2), ' days at most: ', n_found_ended,
                ' had ended when first looked at'
            ),
            null
        ),
        if(
            n_late > 0 and is_left_out,
            concat(
                n_late, ' were first looked at more than a day after their order: ', n_late_ended,
                ' had ended and are left out, the others count from then on'
            ),
            null
        ),
        if(
            n_late > 0 and not is_left_out,
            concat(n_late, ' were first looked at more than a day after their order'),
            null
        ),
        if(is_enough and p50_most is null, 'too young: half of them have not been followed for long enough', null),
        if(
            is_enough_for_p90 and p50_most is not null and p90_most is null,
            concat(
                'the slowest are not known yet: ', round(100 * unended_last)::bigint, ' in 100 are open the longest'
            ),
            null
        )
    ), '') as note
from known
