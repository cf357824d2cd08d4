-- The parts of a check.
select
    component_name,
    component_type,
    vendor_status,
    lifecycle,
    result,
    completed_at
from star.fact_check_component
where check_key = $check_key
order by first_observed_at asc nulls last, component_name asc nulls last;
