-- What several tables need said in one way.
create or replace macro staging.with_seconds(told) as (
    regexp_replace(told, '^(.{10}[T ]\d\d:\d\d)($|[Z+-])', '\1:00\2')
);

create or replace macro staging.is_day_of_a_zone(told) as (
    regexp_full_match(told, '\d{4}-\d\d-\d\d(Z|[+-](0\d|1[0-4]):[0-5]\d)', 'i')
);

create or replace macro staging.instant(told, zone) as (
    case
        -- The first and the last years, and where systems begin to count, are how some say "never".
        when told is null or told[:4] < '2000' or told[:5] = '9999-' then null
        -- With an offset it is an instant, whatever the zone of the account. No zone was ever 16 hours off.
        when
            regexp_full_match(
                told, '\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-](0\d|1[0-5])(:?[0-5]\d){0,2})', 'i'
            )
            then try_cast(staging.with_seconds(upper(told)) as timestamptz)
        -- A day of a zone that is told with it: its first moment there, never a time of day.
        when staging.is_day_of_a_zone(told)
            then try_cast(concat(told[:10], ' 00:00:00', upper(told[11:])) as timestamptz)
        -- Without one it is local time; a date alone is its first moment. Anything else is not guessed at.
        when regexp_full_match(told, '\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?')
            then star.instant_of(zone, try_cast(staging.with_seconds(told) as timestamp))
    end
);

-- The local time that is written in another notation than ISO 8601. Made anew with a branch for each notation of an
-- account (build.name_notations).
create or replace macro staging.written(notation, told) as (null::timestamp);
-- Whether a label that a provider chose may hold a person: it, or a part, is neither named by its account nor made
-- of generic words alone.
create or replace macro staging.is_label_hidden(label, generic, named) as (
    not list_contains(named, label)
    and len(list_filter(string_split(label, ' / '), lambda s: (
        not list_contains(named, s) and (
            not regexp_full_match(lower(s), '[a-z _/-]+')
            or len(list_filter(
                regexp_split_to_array(lower(s), '[ _/-]+'), lambda w: w <> '' and not list_contains(generic, w)
            )) > 0
        )
    ))) > 0
);

-- Evidence is four times how far a dispute has come, and how far a decision has: what rises can only come later.
create or replace macro staging.evidence(dispute_step, decision_step) as (dispute_step * 4 + decision_step);

create or replace macro staging.is_later_evidence(known, told) as (
    told // 4 > known // 4
    or (told // 4 = known // 4 and told % 4 > known % 4)
);

create or replace macro staging.key_of(a, b, c) as (
    case when c is not null then (md5_number_lower(concat_ws(chr(31), a, b, c)) >> 1)::bigint end
);

create or replace macro staging.is_uuid(check_id) as (
    len(check_id) between 32 and 36
    and regexp_full_match(check_id, '[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}', 'i')
);

-- The form in which all spellings of one id are equal, as domain.ids.check_form makes it.
create or replace macro staging.check_form(check_id) as (
    if(staging.is_uuid(check_id), lower(check_id), check_id)
);

create or replace macro staging.id_hash(vendor, account, subject, check_id) as (
    md5_number_lower(concat_ws(chr(31), vendor, account, subject, staging.check_form(check_id)))
);

-- Whom an erasure was about is known by keyed hashes alone, under the session's variable `part_key`: of a check, of
-- whatever has an id (who erases by id alone means any subject), and of a candidate, by the pseudonym.
create or replace macro staging.written_hash(vendor, account, subject, written) as (
    sha256(concat_ws(chr(31), getvariable('part_key'), 'erased check', vendor, account, subject, written))
);

create or replace macro staging.check_hash(vendor, account, subject, check_id) as (
    staging.written_hash(vendor, account, subject, staging.check_form(check_id))
);

create or replace macro staging.unspecified_hash(vendor, account, check_id) as (
    staging.check_hash(vendor, account, null, check_id)
);

-- All hashes by which a check may be among the erased. Earlier versions kept that of a UUID as it was written.
create or replace macro staging.erased_hashes(vendor, account, subject, check_id) as (
    flatten(list_transform(
        if(staging.is_uuid(check_id), [lower(check_id), upper(check_id), check_id], [check_id]),
        lambda written: [
            staging.written_hash(vendor, account, subject, written),
            staging.written_hash(vendor, account, null, written)
        ]
    ))
);

create or replace macro staging.candidate_hash(candidate_key) as (
    sha256(concat_ws(chr(31), getvariable('part_key'), 'erased candidate', candidate_key))
);

-- HMAC-SHA-256 of a text, in hex; its two keys, as blobs in hex, are variables of the session.
create or replace macro staging.sealed(told) as (
    sha256(unhex(getvariable('person_outer')) || unhex(sha256(unhex(getvariable('person_inner')) || encode(told))))
);

-- The pseudonym of a person, as domain.pseudonym makes it of what an order file says; null where there is none.
create or replace macro staging.person_key(candidate_ref) as (
    if(trim(candidate_ref) <> '', staging.sealed(nfc_normalize(trim(candidate_ref)))[:32], null)
);
