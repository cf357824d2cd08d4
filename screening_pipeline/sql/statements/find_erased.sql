-- Find everything about whoever `named` tells of: their checks, and what is about the same person.
create or replace temp table gone as
with recursive
named_for_somebody as (
    select check_key from raw."order"
    where candidate_key is not null
),

same as (
    -- A subscription and the report it watches are about one person.
    select
        vendor,
        account,
        subject,
        check_id,
        'report' as other_subject,
        report_check_id as other_id
    from star.fact_subscription
    union
    select
        vendor,
        account,
        'report',
        report_check_id,
        subject,
        check_id
    from star.fact_subscription
    union
    -- What led to a check is about the same person.
    select
        c.vendor,
        c.account,
        c.subject,
        c.check_id,
        p.subject as other_subject,
        p.check_id as other_id
    from (
        select
            continues_key as key_a,
            check_key as key_b
        from staging.continuation
        union all
        select
            check_key as key_a,
            continues_key as key_b
        from staging.continuation
    ) as k
    inner join raw."check" as c on k.key_a = c.check_key
    inner join raw."check" as p on k.key_b = p.check_key
    union
    -- An order may have named the wrong subject. An id that an order names for somebody is theirs: orders and I-9 forms
    -- are numbered apart.
    select
        a.vendor,
        a.account,
        a.subject,
        a.check_id,
        b.subject as other_subject,
        b.check_id as other_id
    from raw."check" as a
    inner join raw."check" as b
        on
            a.vendor = b.vendor and a.account = b.account
            and staging.check_form(a.check_id) = staging.check_form(b.check_id)
    anti join named_for_somebody as o on b.check_key = o.check_key
),

of_person as (
    select
        vendor,
        account,
        subject,
        check_id
    from named
    union
    select
        s.vendor,
        s.account,
        s.other_subject,
        s.other_id
    from of_person as p
    inner join same as s
        on
            p.vendor = s.vendor and p.account = s.account and p.subject = s.subject
            and staging.check_form(p.check_id) = staging.check_form(s.check_id)
    where s.other_id is not null
)

select distinct
    p.vendor,
    p.account,
    p.subject,
    coalesce(c.check_id, p.check_id) as check_id,
    c.check_key
from of_person as p
left join raw."check" as c
    on
        p.vendor = c.vendor and p.account = c.account and p.subject = c.subject
        and staging.check_form(p.check_id) = staging.check_form(c.check_id);
