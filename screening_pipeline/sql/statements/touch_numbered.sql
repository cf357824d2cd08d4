-- Name the checks numbered after `$after` and up to `$last` to be recomputed, with all that was ordered of them.
create or replace temp table touched as
select check_key from raw."check"
where check_key > $after and check_key <= $last;

create or replace temp table new_order as
select * from raw."order" semi join touched using (check_key);
