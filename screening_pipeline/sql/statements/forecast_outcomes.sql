-- How long each ended check took, in seconds, in the middle of its bounds.
select
    t.check_key,
    t.vendor,
    epoch(f.ordered_at) as ordered,
    epoch(f.ordered_at) + (t.seconds_earliest + t.seconds_latest) / 2 as ended,
    (t.seconds_earliest + t.seconds_latest) / 2 as seconds
from star.fact_turnaround as t
inner join star.fact_check as f on t.check_key = f.check_key
inner join star.dim_account as a on t.vendor = a.vendor and t.account = a.account
where a.is_analyzed and t.outcome <> 'open';
