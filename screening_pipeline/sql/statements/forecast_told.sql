-- The forecasts that were told of checks that were open then, by the week in which they were.
select
    h.check_key,
    epoch(h.made_at) as made,
    epoch(date_trunc('week', star.local_time('UTC', h.made_at))) as week,
    epoch(h.p10) as p10,
    epoch(h.p50) as p50,
    epoch(h.p90) as p90
from ops.check_eta_history as h
inner join star.fact_check as f on h.check_key = f.check_key
inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where a.is_analyzed
order by h.made_at asc nulls last, h.check_key asc nulls last;
