-- Drop orders of the erased from `new_order`; a new check of an erased person is kept out from now on.
create or replace temp table skipped_order as
select *
from new_order
where
    (file_sha256, line) in (
        select (file_sha256, line)
        from (
            select
                file_sha256,
                line,
                unnest(staging.erased_hashes(vendor, account, subject, check_id)) as pseudonym
            from new_order
        )
        semi join staging.erased using (pseudonym)
    )
    or (
        candidate_key is not null
        and staging.candidate_hash(candidate_key) in (select pseudonym from staging.erased)
    );

insert into staging.erased
select distinct staging.check_hash(vendor, account, subject, check_id) as pseudonym
from skipped_order
where staging.check_hash(vendor, account, subject, check_id) not in (select pseudonym from staging.erased);

delete from new_order
where (file_sha256, line) in (select (file_sha256, line) from skipped_order);

drop table skipped_order;
