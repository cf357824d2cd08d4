-- Every check that was ever announced or seen has a row, unless it went on as another, and every row is such a check.
select coalesce(c.check_key, f.check_key) as check_key
from (
    select r.* from raw."check" as r
    where r.check_key not in (select k.continues_key from staging.continuation as k)
) as c
full join star.fact_check as f on c.check_key = f.check_key
where
    c.check_key is null or f.check_key is null
    or (c.vendor, c.account, c.subject, c.check_id) <> (f.vendor, f.account, f.subject, f.check_id)
