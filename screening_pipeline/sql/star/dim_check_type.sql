-- One row per kind of part that a vendor's checks have.
--
-- check_type_key  surrogate, the same after a rebuild
-- vendor          vendor
-- subject         the subject it is a part of
-- check_type      the vendor's type, or the part's name where the vendor has no types
-- @refresh append check_type_key
select
    check_type_key,
    vendor,
    subject,
    coalesce(component_type, min(component_name)) as check_type
from star.fact_check_component
inner join touched using (check_key)
group by check_type_key, vendor, subject, component_type
