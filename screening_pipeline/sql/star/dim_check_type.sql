-- One row per kind of part that a vendor's checks have.
--
-- check_type_key  surrogate, the same after a rebuild
-- vendor          vendor
-- subject         the subject it is a part of
-- check_type      the vendor's type, or the part's name where the vendor has no types
-- @refresh append check_type_key
with
-- Also of messages that are not applied: which those are may change with what arrives late, what was told does not.
told as (
    select
        check_type_key,
        vendor,
        subject,
        component_type,
        component_name
    from star.fact_check_component
    inner join touched using (check_key)
    union all by name
    select
        staging.key_of(vendor, subject, coalesce(component_type, component_name, 'check')) as check_type_key,
        vendor,
        subject,
        component_type,
        coalesce(component_name, component_type, 'check') as component_name
    from (
        select
            c.vendor,
            c.subject,
            unnest(o.components, recursive := true)
        from touched_message as o
        inner join sequence as q on o.message_number = q.message_number
        inner join concerned as c on o.check_key = c.check_key
        where not q.is_applied and len(o.components) > 0
    )
)

select
    check_type_key,
    vendor,
    subject,
    coalesce(component_type, min(component_name)) as check_type
from told
group by check_type_key, vendor, subject, component_type
