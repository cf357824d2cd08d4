-- Note which kinds of words accounts tell for the first time.
create or replace temp table new_word as
with
told as (
    select
        s.vendor,
        s.account,
        unnest([
            if(
                t.has_adjudication and s.vendor_adjudication not in ('', 'Not Available'),
                'adjudication', null
            ),
            if(t.detail_role = 'concludes' and s.vendor_status_detail <> '', 'e_verify', null)
        ]) as word
    from new_state as s
    inner join staging.trait as t on s.vendor = t.vendor and s.subject = t.subject
)

select distinct t.*
from told as t
anti join staging.inference as i on t.vendor = i.vendor and t.account = i.account and t.word = i.word
where t.word is not null;

insert into staging.inference by name from new_word;
