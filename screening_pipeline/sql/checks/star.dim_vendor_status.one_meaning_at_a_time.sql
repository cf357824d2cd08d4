-- A word has one meaning at a time.
select
    vendor,
    subject,
    field,
    value
from (
    select
        *,
        lead(valid_from) over meanings as next_from
    from star.dim_vendor_status
    window meanings as (
        partition by vendor, subject, field, value order by valid_from asc nulls last, valid_to asc nulls last
    )
)
where valid_from >= valid_to or next_from < valid_to
