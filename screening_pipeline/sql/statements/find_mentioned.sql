-- Find the erased checks of which the scanned lines tell.
select distinct
    vendor,
    account,
    subject,
    check_id
from (
    select
        vendor,
        account,
        subject,
        check_id
    from landed
    union
    select
        vendor,
        account,
        asked_subject,
        asked_check_id
    from landed
)
where
    check_id is not null
    and (
        staging.check_hash(vendor, account, subject, check_id) in (select pseudonym from staging.erased)
        or staging.unspecified_hash(vendor, account, check_id) in (select pseudonym from staging.erased)
    );
