-- One row per message of the batch: the scanned line with its texts read as what they are.
--
-- @refresh work read
with
typed as (
    select
        l.* replace (
            -- Half an answer is an answer that was refused, whoever noticed it first.
            -- What was erased was not refused.
            coalesce(nullif(l.reject, 'erased'), if(l.http_status between 200 and 299, l.failure, null)) as reject
        ),
        t.time_means,
        t.has_personal_part_names,
        list_max(list_filter(t.boundaries, lambda b: b <= l.received_at::date)) as as_of,
        a.timezone,
        staging.written(a.date_format, l.vendor_time) as written_time,
        coalesce(
            if(year(written_time) between 2000 and 9998, star.local_time(a.timezone, written_time), null),
            staging.instant(l.vendor_time, a.timezone)
        ) as told_at,
        staging.instant(l.started_on, a.timezone) as started_at,
        if(
            written_time is not null,
            not regexp_matches(a.date_format, '%[HI]'),
            regexp_full_match(l.vendor_time, '\d{4}-\d{2}-\d{2}')
        ) as is_date_only,
        -- Of the customer's own fields only those that the account names, each once.
        list_filter(
            list_transform(a.flex_fields, lambda n: {
                'key': n, 'value': list_filter(l.fields, lambda f: f.name = n)[1].value
            }),
            lambda f: f.value is not null
        ) as named_fields,
        list_transform(l.components, lambda p: {
            -- Z1: `type` is the discriminator; where it is missing and checkType looks like one, that; else a part
            -- of an education check.
            'type': coalesce(
                p.type,
                case
                    when p.type_fallback like '%-check' then p.type_fallback
                    when p.type_fallback is not null then 'education-check'
                end
            ),
            -- What is no type is the kind of an education; a machine's word, or it is none of ours to show.
            'subtype': case
                when p.type_fallback not like '%-check' and regexp_full_match(p.type_fallback, '[A-Za-z0-9_-]{1,40}')
                    then p.type_fallback
            end,
            -- Z26: a label may hold a person's name; a keyed hash tells two apart and says nothing. In a reduced body
            -- it stands already.
            'label': case
                when not coalesce(t.has_personal_part_names, false) then p.name
                when regexp_full_match(p.name, '#[0-9a-f]{16}') then p.name[2:]
                else sha256(concat(getvariable('part_key'), p.name))[:16]
            end,
            'status': p.status,
            'result': p.result,
            'adjudication': p.adjudication
        }) as parts
    from landed as l
    left join staging.trait as t on l.vendor = t.vendor and l.subject = t.subject
    left join staging.account as a on l.vendor = a.vendor and l.account = a.account
),

identified as (
    select
        * exclude (components, report_url) replace (
            -- What lies over a day beyond the look that showed it has not happened: it is no time of anything.
            if(told_at <= received_at + interval 1 day, told_at, null) as told_at,
            if(started_at <= received_at + interval 1 day, started_at, null) as started_at
        ),
        list_transform(parts, lambda p: concat_ws('|', p.type, p.label)) as part_ids,
        len(list_distinct(part_ids)) < len(part_ids) as are_alike,
        -- Links open without a login for whoever holds their query, or the name and password in them.
        regexp_replace(report_url, '^([^/?#]*//)[^/?#]*@|[?#].*$', '\1', 'gs') as report_url
    from typed
),

keyed as (
    select
        * exclude (parts, part_ids, are_alike),
        -- A lambda copies what it names for every element: the list itself only where two parts are alike.
        list_transform(parts, lambda p, i: { -- noqa: PRS
            'component_id': concat_ws(
                '|', p.type, p.label,
                if(are_alike, len(list_filter(part_ids[1:i], lambda x: x = part_ids[i])), 1)
            ),
            'component_name': if(has_personal_part_names, null, p.label),
            'component_type': p.type,
            'component_subtype': p.subtype,
            'status': p.status,
            'result': p.result,
            'adjudication': p.adjudication
        }) as components,
        list_sort(list_distinct(list_transform(parts, lambda p: coalesce(p.status, '')))) as part_words,
        if(len(named_fields) > 0, to_json(map_from_entries(named_fields))::varchar, null) as flex_fields,
        told_at is not null as has_vendor_time,
        -- A local day has 23 or 25 hours where clocks change: its end is where the next one begins.
        if(
            is_date_only and told_at is not null,
            star.local_time(timezone, coalesce(written_time, try_cast(vendor_time as timestamp)) + interval 1 day)
            - interval 1 microsecond,
            told_at
        ) as told_until,
        coalesce(
            if(told_at is null and vendor_time <> '' and vendor_time not like '0001-01-01%', vendor_time, null),
            if(staging.instant(started_on, timezone) > received_at + interval 1 day, started_on, null),
            list_filter(runs, lambda r: staging.instant(r.run_at, timezone) > received_at + interval 1 day)[1].run_at
        ) as unread_time
    from identified
)

select
    * exclude (
        vendor_time, written_time, started_on, time_means, timezone, is_date_only, has_personal_part_names,
        fields, named_fields
    ),
    case when message_index is not null then md5_number_lower(concat_ws(
        chr(31), vendor, account, subject,
        coalesce(vendor_status, chr(30)), coalesce(vendor_status_detail, chr(30)), coalesce(vendor_result, chr(30)),
        coalesce(vendor_adjudication, chr(30)), coalesce(vendor_dispute, chr(30)),
        -- No part and one part without a word are two things.
        coalesce(len(part_words), 0), array_to_string(part_words, chr(29)), coalesce(is_active, chr(30)),
        has_vendor_time, as_of
    )) end as state_key
from keyed
