-- One row where a check was numbered by a version for which a UUID in capitals was another id.
select 1
from raw."check"
where check_id <> staging.check_form(check_id) and id_hash <> staging.id_hash(vendor, account, subject, check_id);
