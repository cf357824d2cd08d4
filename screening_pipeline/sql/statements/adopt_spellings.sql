-- Have the messages of the batch name each check as it is known: as whoever told of it first has written it.
update landed_message as l set check_id = c.check_id
from batch_check as c
where
    l.vendor = c.vendor and l.account = c.account and l.subject = c.subject and l.check_id <> c.check_id
    and staging.check_form(l.check_id) = staging.check_form(c.check_id);

update landed_message as l set asked_check_id = c.check_id
from batch_check as c
where
    l.vendor = c.vendor and l.account = c.account and l.asked_subject = c.subject and l.asked_check_id <> c.check_id
    and staging.check_form(l.asked_check_id) = staging.check_form(c.check_id);
