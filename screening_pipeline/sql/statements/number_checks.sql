-- Number the checks of which the batch tells for the first time, in the order in which they were seen.
insert into raw."check"
select
    row_number()
        over (
            order by
                seen_at asc nulls last, vendor asc nulls last, account asc nulls last, subject asc nulls last,
                check_id asc nulls last
        )
    + (select coalesce(max(check_key), 0) from raw."check"),
    vendor,
    account,
    subject,
    check_id,
    id_hash,
    seen_at,
    false
from batch_new;

insert into batch_check
select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    c.id_hash
from raw."check" as c
inner join batch_new as n on c.id_hash = n.id_hash;
