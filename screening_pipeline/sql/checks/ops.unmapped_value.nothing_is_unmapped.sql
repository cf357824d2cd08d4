-- Every word that vendors use now is in the mapping or declared by its account.
-- every run
-- severity: warn
select
    vendor,
    field,
    value
from ops.unmapped_value
where is_current
