-- One row per message of the batch: the scanned line with its texts read as what they are.
--
-- @refresh work read
with
identified as (
    select
        * exclude (components, told_parts, report_url) replace (
            -- Only the day means anything, whatever time of day is told with it.
            try_cast(vendor_estimated_on[:10] as date) as vendor_estimated_on,
            try_cast(nullif(vendor_turnaround_seconds, '') as bigint) as vendor_turnaround_seconds,
            -- What lies over a day beyond the look that showed it has not happened: it is no time of anything.
            if(told_at <= received_at + interval 1 day, told_at, null) as told_at,
            if(ordered_at <= received_at + interval 1 day, ordered_at, null) as ordered_at,
            if(started_at <= received_at + interval 1 day, started_at, null) as started_at
        ),
        list_transform(parts, lambda p: concat_ws('|', p.type, p.label)) as part_ids,
        len(list_distinct(part_ids)) < len(part_ids) as are_alike,
        -- Links open without a login for whoever holds their query, or the name and password in them.
        regexp_replace(report_url, '^([^/?#]*//)[^/?#]*@|[?#].*$', '\1', 'gs') as report_url
    from typed_message
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
            'component_name': if(has_personal_part_names or p.is_hidden, null, p.label),
            'component_type': p.type,
            'component_subtype': p.subtype,
            'status': p.status,
            'result': p.result,
            'adjudication': p.adjudication,
            'reason': p.reason,
            'turnaround_seconds': p.turnaround_seconds,
            'is_hidden': p.is_hidden
        }) as components,
        list_sort(
            list_distinct(list_transform(parts, lambda p: coalesce(
                p.result, p.status, if(p.is_hidden, '#', '') || coalesce(p.label, '') || ': #' || p.unread, ''
            ))), 'asc', 'nulls last'
        ) as part_words,
        if(len(named_fields) > 0, to_json(map_from_entries(named_fields))::varchar, null) as flex_fields,
        told_at is not null as has_vendor_time,
        -- A local day has 23 or 25 hours where clocks change: its end is where the next one begins.
        case
            when told_at is null then null
            when is_date_only
                then star.instant_of(
                    timezone, coalesce(written_time, try_cast(vendor_time as timestamp)) + interval 1 day
                ) - interval 1 microsecond
            -- An offset is one for all the day.
            when is_date_of_a_zone then told_at + interval 24 hours - interval 1 microsecond
            else told_at
        end as told_until,
        coalesce(
            if(told_at is null and vendor_time <> '' and vendor_time not like '0001-01-01%', vendor_time, null),
            if(staging.instant(started_on, timezone) > received_at + interval 1 day, started_on, null),
            list_filter(runs, lambda r: staging.instant(r.run_at, timezone) > received_at + interval 1 day)[1].run_at
        ) as unread_time
    from identified
)

select
    * exclude (
        vendor_time, written_time, started_on, time_means, timezone, is_date_only, is_date_of_a_zone,
        has_personal_part_names, fields, named_fields
    ),
    -- A message without any word announces its check, and tells no state.
    case when message_index is not null and coalesce(
        vendor_status, vendor_status_detail, vendor_result, vendor_adjudication, vendor_dispute, is_active
    ) is not null then md5_number_lower(concat_ws(
        chr(31), vendor, account, subject,
        coalesce(vendor_status, chr(30)), coalesce(vendor_status_detail, chr(30)), coalesce(vendor_result, chr(30)),
        coalesce(vendor_adjudication, chr(30)), coalesce(vendor_dispute, chr(30)),
        -- No part and one part without a word are two things.
        coalesce(len(part_words), 0), array_to_string(part_words, chr(29)), coalesce(is_active, chr(30)),
        has_vendor_time, as_of
    )) end as state_key
from keyed
