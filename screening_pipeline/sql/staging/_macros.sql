-- What several tables need said in one way.
create or replace macro staging.instant(told, zone) as (
    case
        -- The first and the last years, and where systems begin to count, are how some say "never".
        when told is null or told[:4] < '2000' or told[:5] = '9999-' then null
        -- With an offset it is an instant, whatever the zone of the account. No zone was ever 16 hours off.
        when
            regexp_full_match(
                told, '\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)', 'i'
            )
            then try_cast(upper(told) as timestamptz)
        -- Without one it is local time; a date alone is its first moment. Anything else is not guessed at.
        when regexp_full_match(told, '\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?')
            then star.local_time(zone, try_cast(told as timestamp))
    end
);

create or replace macro staging.key_of(a, b, c) as (
    case when c is not null then (md5_number_lower(concat_ws(chr(31), a, b, c)) >> 1)::bigint end
);

create or replace macro staging.id_hash(vendor, account, subject, check_id) as (
    md5_number_lower(concat_ws(chr(31), vendor, account, subject, check_id))
);
