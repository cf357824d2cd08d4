-- Keep out subscriptions that watch an erased report: about the same person, also where nobody knew of it by then.
insert into staging.erased
select distinct staging.check_hash(vendor, account, subject, check_id) as pseudonym
from landed
where
    (vendor, account, report_check_id) in (
        select (vendor, account, report_check_id)
        from (
            select
                *,
                unnest(staging.erased_hashes(vendor, account, 'report', report_check_id)) as pseudonym
            from (
                select distinct
                    vendor,
                    account,
                    report_check_id
                from landed
                where report_check_id is not null
            )
        )
        semi join staging.erased using (pseudonym)
    )
    and staging.check_hash(vendor, account, subject, check_id) not in (select pseudonym from staging.erased);

-- And checks of which the vendor tells that they are about somebody who was erased.
insert into staging.erased
select distinct staging.check_hash(vendor, account, subject, check_id) as pseudonym
from landed
where
    candidate_ref is not null
    and staging.candidate_hash(staging.person_key(candidate_ref)) in (select pseudonym from staging.erased)
    and staging.check_hash(vendor, account, subject, check_id) not in (select pseudonym from staging.erased);
