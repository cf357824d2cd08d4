-- Have each account expect of all its checks what it declares, or else what one of them has told.
update staging.account as a set
    adjudication_expected = coalesce(a.adjudication_declared, exists (
        select 1 from staging.inference as i
        where a.vendor = i.vendor and a.account = i.account and i.word = 'adjudication'
    )),
    e_verify_expected = coalesce(a.e_verify_declared, exists (
        select 1 from staging.inference as i
        where a.vendor = i.vendor and a.account = i.account and i.word = 'e_verify'
    ));

update star.dim_account as d set
    adjudication_expected = a.adjudication_expected,
    e_verify_expected = a.e_verify_expected
from staging.account as a
where d.vendor = a.vendor and d.account = a.account;
