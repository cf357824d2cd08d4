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
        staging.instant(l.vendor_time, a.timezone) as told_at,
        staging.instant(l.started_on, a.timezone) as started_at,
        regexp_full_match(l.vendor_time, '\d{4}-\d{2}-\d{2}') as is_date_only,
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
        * exclude (components, report_url, started_on),
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
            'status': p.status,
            'result': p.result,
            'adjudication': p.adjudication
        }) as components,
        list_sort(list_distinct(list_transform(parts, lambda p: coalesce(p.status, '')))) as part_words,
        told_at is not null as has_vendor_time,
        -- A local day has 23 or 25 hours where clocks change: its end is where the next one begins.
        if(
            is_date_only and told_at is not null,
            star.local_time(timezone, vendor_time::timestamp + interval 1 day) - interval 1 microsecond,
            told_at
        ) as told_until,
        if(told_at is null and vendor_time <> '' and vendor_time not like '0001-01-01%', vendor_time, null)
            as unread_time
    from identified
)

select
    * exclude (vendor_time, time_means, timezone, is_date_only, has_personal_part_names),
    case when message_index is not null then md5_number_lower(concat_ws(
        chr(31), vendor, account, subject,
        coalesce(vendor_status, chr(30)), coalesce(vendor_status_detail, chr(30)), coalesce(vendor_result, chr(30)),
        coalesce(vendor_adjudication, chr(30)), coalesce(vendor_dispute, chr(30)),
        -- No part and one part without a word are two things.
        coalesce(len(part_words), 0), array_to_string(part_words, chr(29)), coalesce(is_active, chr(30)),
        has_vendor_time, as_of
    )) end as state_key
from keyed
