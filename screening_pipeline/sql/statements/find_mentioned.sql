-- Find the erased checks of which the scanned lines tell.
with
told as (
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

select distinct
    vendor,
    account,
    subject,
    check_id
from (
    select
        *,
        unnest(staging.erased_hashes(vendor, account, subject, check_id)) as pseudonym
    from told
    where check_id is not null
)
semi join staging.erased using (pseudonym);
