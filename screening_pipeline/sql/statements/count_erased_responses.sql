-- Count the answers that tell of the checks in `gone`.
select count(*)
from (
    select response_id from staging.response
    where check_key in (select check_key from gone)
    union
    select response_id from staging.observation
    where check_key in (select check_key from gone)
);
