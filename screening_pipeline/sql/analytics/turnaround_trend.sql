-- One row per vendor, package and stretch of time of ordering: how long the checks ordered then take.
--
-- vendor      vendor
-- package     what was ordered, null where nobody says
-- part        how long a stretch is: few days are told by day, some months by week, more by month
-- ordered_on  first local day of the stretch
-- n_ordered   checks ordered in it
-- n           of those, closed ones in the figures
-- n_open      of those, open ones: a young stretch is judged by its fast checks only
-- p50         median calendar seconds to completion, as first observed or as its vendor says
-- @refresh view
with
-- From the first to the last of each zone alone: all between lie between, and need not be told in local time.
spanned as (
    select
        star.local_time(h.timezone, min(c.ordered_at)) as first_at,
        star.local_time(h.timezone, max(c.ordered_at)) as last_at
    from analytics.check_clock as c
    inner join analytics.account_horizon as h on c.vendor = h.vendor and c.account = h.account
    group by h.timezone
),

stretch as (
    select
        case
            when max(last_at) - min(first_at) <= interval 14 day then 'day'
            when max(last_at) - min(first_at) <= interval 70 day then 'week'
            else 'month'
        end as part
    from spanned
)

select
    c.vendor,
    c.package,
    s.part,
    date_trunc(s.part, c.ordered_on)::date as ordered_on,
    count(*) as n_ordered,
    count(*) filter (where c.is_included) as n,
    count(*) filter (where c.is_open) as n_open,
    quantile_cont(c.seconds, 0.5) as p50
from analytics.check_clock as c
cross join stretch as s
where c.ordered_on is not null
group by all
