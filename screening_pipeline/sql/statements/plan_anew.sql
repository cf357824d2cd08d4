-- Show the plan in the snapshot: it changes what is told of checks of which nothing else has changed.
update published.star.fact_check as f set next_pull_at = n.next_pull_at
from (
    select
        check_key,
        next_pull_at
    from star.fact_check
    semi join staging.open_check using (check_key)
) as n
where f.check_key = n.check_key and f.next_pull_at is distinct from n.next_pull_at;
