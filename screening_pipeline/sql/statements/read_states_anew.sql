-- Read anew what the accounts of `new_word` have told before, and touch every check that ever told it.
create or replace temp table state_before as
from staging.state as s
semi join new_word as w on s.vendor = w.vendor and s.account = w.account;

insert into batch_touched
select distinct
    o.check_key,
    true as is_late
from staging.observation as o
semi join state_before as s on o.state_key = s.state_key;

insert into new_state by name from state_before;

delete from staging.state
where state_key in (select state_key from state_before);

delete from staging.reading
where state_key in (select state_key from state_before);

drop table state_before;
