-- One row per group, unit, assumption and percentile: the time by which so many of the checks that complete have.
--
-- grain        what the group is: vendor, package or month
-- vendor       vendor
-- package      what was ordered; null for a whole vendor, or where nobody says
-- month        first day of the local month of ordering, null for whole vendors and packages
-- unit         seconds (calendar) or business_days
-- assumption   earliest (each end came as early as it can have come), middle or latest
-- percentile   50, 75, 90 or 95
-- value        time since ordering, in that unit; null where checks are not followed for long enough to tell
-- low          lower end of its 95 % interval
-- high         upper end of its 95 % interval, null where nothing bounds it
-- value_least  the least it is under any assumption, and whatever becomes of the checks followed longest
-- value_most   the most it is under any assumption, and whatever becomes of them; null where nothing bounds it
-- @refresh view
with
reached as (
    select
        s.grain,
        s.vendor,
        s.package,
        s.month,
        s.unit,
        s.assumption,
        p.percentile,
        s.times[p.place] as value,
        s.lows[p.place] as low,
        s.highs[p.place] as high,
        s.soonest[p.place] as soonest,
        s.last[p.place] as last
    from analytics.group_summary as s
    cross join (values (1, 50), (2, 75), (3, 90), (4, 95)) as p (place, percentile)
),

-- Ends that all come later can, by a hair, make a percentile come earlier, when one passes the last look at an open
-- check. The names say an order, and so it is kept.
ordered as (
    select
        *,
        list_sort(list(value) over same, 'asc', 'nulls last') as in_order,
        count(value) over same as n_known,
        min(soonest) over same as value_least,
        if(count(last) over same = count(*) over same, max(last) over same, null) as value_most
    from reached
    window same as (partition by grain, vendor, package, month, unit, percentile)
)

select
    grain,
    vendor,
    package,
    month,
    unit,
    assumption,
    percentile,
    if(n_known = 3, in_order[case assumption when 'earliest' then 1 when 'middle' then 2 else 3 end], value)
        as value,
    low,
    high,
    value_least,
    value_most
from ordered
