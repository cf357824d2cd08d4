-- Find the rest of the checks of which the batch tells among those numbered after `$after`.
insert into batch_check
select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    c.id_hash
from raw."check" as c
inner join batch_new as n on c.id_hash = n.id_hash
where c.check_key > $after;

create or replace temp table batch_new as
select * from batch_new anti join batch_check using (id_hash);
