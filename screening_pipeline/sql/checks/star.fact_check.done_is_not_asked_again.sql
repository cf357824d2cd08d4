-- A check that is done has no next pull, an open one has, unless its account, or a decision given up, is not asked.
-- every run
select f.check_key
from star.fact_check as f
left join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where
    (f.next_pull_at is not null and (f.is_terminal or a.is_polled is not true))
    or (
        f.next_pull_at is null and f.is_terminal is not true and a.is_polled
        and not (f.lifecycle = 'completed' and f.adjudication = 'pending')
    )
