-- Note which checks of the batch continue others, each once.
insert into staging.continuation by name
select
    p.check_key as continues_key,
    min(c.check_key) as check_key
from landed_message as l
inner join staging.trait as t on l.vendor = t.vendor and l.subject = t.subject
inner join batch_check as c
    on l.vendor = c.vendor and l.account = c.account and l.subject = c.subject and l.check_id = c.check_id
inner join batch_check as p
    on
        l.vendor = p.vendor and l.account = p.account and t.continues = p.subject
        and staging.check_form(l.continues_id) = staging.check_form(p.check_id)
where p.check_key not in (select k.continues_key from staging.continuation as k)
group by p.check_key;
