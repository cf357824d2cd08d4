-- What could not be read of a check, or contradicts itself.
select
    'unmapped' as kind,
    field || ': ' || value as what,
    first_observed_at as since
from ops.unmapped_value
where check_key = $check_key
union all
select
    'conflict',
    conflict,
    first_observed_at
from ops.mapping_conflict
where check_key = $check_key
order by since asc nulls last;
