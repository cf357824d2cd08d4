-- The checks of an account that ended since `$since`, to be asked once more whether they did.
select
    check_key,
    vendor,
    account,
    subject,
    check_id,
    closed_at,
    'reconciliation'
from star.fact_check
where is_terminal and vendor = $vendor and account = $account and not star.is_ongoing(subject) and closed_at >= $since
order by closed_at asc nulls last, check_key asc nulls last;
