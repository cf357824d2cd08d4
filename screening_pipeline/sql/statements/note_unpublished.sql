-- Remember whom the batch touches until a snapshot shows it, and until its pull is planned.
insert into staging.unpublished_check
select * from touched;

insert into staging.unplanned_check
select * from touched;

insert into staging.unpublished_call
select
    response_id,
    received_at
from recounted;
