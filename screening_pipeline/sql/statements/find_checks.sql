-- Find the checks of which the batch tells among the few that are open, where nearly all of them are.
create or replace temp table batch_id as
select
    vendor,
    account,
    subject,
    min_by(check_id, (received_at, check_id <> staging.check_form(check_id), check_id)) as check_id,
    staging.check_form(check_id) as check_form,
    staging.id_hash(vendor, account, subject, check_form) as id_hash,
    min(received_at) as seen_at
from (
    select
        vendor,
        account,
        subject,
        check_id,
        received_at
    from landed_message
    where message_index is not null
    union all
    select
        vendor,
        account,
        asked_subject,
        asked_check_id,
        received_at
    from landed_message
    where asked_subject is not null
)
where subject <> 'package' and check_id is not null
group by vendor, account, subject, staging.check_form(check_id);

create or replace temp table batch_check as
select
    o.check_key,
    o.vendor,
    o.account,
    o.subject,
    o.check_id,
    b.id_hash
from batch_id as b
inner join staging.open_check as o
    on
        b.vendor = o.vendor and b.account = o.account and b.subject = o.subject
        and b.check_form = staging.check_form(o.check_id);

create or replace temp table batch_new as
select * from batch_id anti join batch_check using (id_hash);
