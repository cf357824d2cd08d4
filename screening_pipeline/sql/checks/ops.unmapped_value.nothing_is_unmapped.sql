-- Every word that vendors use now is in the mapping or declared by its account.
-- every run
-- severity: warn
-- fix: Say what the word means in vendors/<vendor>.csv, or in screening.toml; then run screening-pipeline rebuild.
select
    vendor,
    field,
    value
from ops.unmapped_value
where is_current
