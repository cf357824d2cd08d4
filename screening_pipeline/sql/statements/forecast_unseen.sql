-- The open checks ordered by `$now` that were never looked at: in a state that nobody knows.
select
    f.check_key,
    f.vendor,
    f.package,
    'unknown' as state,
    epoch(f.ordered_at) as entered,
    epoch(f.ordered_at) as seen_until
from star.fact_check as f
inner join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where
    a.is_analyzed and not star.is_ongoing(f.subject) and f.is_terminal is not true
    and f.first_observed_at is null and f.ordered_at <= $now;
