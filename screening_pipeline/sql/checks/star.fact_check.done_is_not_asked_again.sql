-- A check that is done has no next pull, an open one has, unless its account is not asked.
-- every run
select f.check_key
from star.fact_check as f
left join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where (f.is_terminal is not true and a.is_polled is true) is distinct from (f.next_pull_at is not null)
