-- Have the next snapshot be a whole copy.
delete from staging.setting
where name = 'snapshot';

delete from staging.unpublished_check;

delete from staging.unpublished_call;
