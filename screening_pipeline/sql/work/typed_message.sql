-- One row per message of the batch: the scanned line with its times and parts read as what they are.
--
-- @refresh work read
select
    l.* exclude (candidate_ref) replace (
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
        if(year(written_time) between 2000 and 9998, star.instant_of(a.timezone, written_time), null),
        staging.instant(l.vendor_time, a.timezone)
    ) as told_at,
    staging.instant(l.started_on, a.timezone) as started_at,
    staging.instant(l.order_time, a.timezone) as ordered_at,
    staging.person_key(l.candidate_ref) as candidate_key,
    if(
        written_time is not null,
        not regexp_matches(a.date_format, '%[HI]'),
        regexp_full_match(l.vendor_time, '\d{4}-\d{2}-\d{2}')
    ) as is_date_only,
    staging.is_day_of_a_zone(l.vendor_time) as is_date_of_a_zone,
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
        -- So may one that a provider chose: it is kept if all it is made of is generic, or its account names it.
        'is_hidden': t.generic_labels is not null
        and staging.is_label_hidden(p.name, t.generic_labels, coalesce(a.part_labels, [])),
        -- Of a free-form part only what is in the vocabulary is a word.
        'status': case
            when t.part_vocabulary is null or list_contains(t.part_vocabulary, p.status) then p.status
            when list_contains(t.part_vocabulary, p.result) then p.result
        end,
        'result': if(t.part_vocabulary is null, p.result, null),
        'adjudication': p.adjudication,
        -- A machine's word for why, or it is none of ours to show.
        'reason': if(regexp_full_match(p.reason, '[A-Za-z0-9_-]{1,80}'), p.reason, null),
        'turnaround_seconds': try_cast(nullif(p.turnaround_seconds, '') as bigint),
        -- A status that is no such word is listed by its label and a keyed hash.
        'unread': case
            when t.part_vocabulary is null or list_contains(t.part_vocabulary, p.status) then null
            when regexp_full_match(p.status, '#[0-9a-f]{16}') then p.status[2:]
            else sha256(concat(getvariable('part_key'), p.status))[:16]
        end,
        'is_detail': t.part_vocabulary is not null and p.status is null
        and not coalesce(list_contains(t.part_vocabulary, p.result), false)
    }) as told_parts,
    list_transform(
        list_filter(told_parts, lambda p: not p.is_detail),
        lambda p: {
            'type': p.type,
            'subtype': p.subtype,
            'label': if(p.is_hidden, sha256(concat(getvariable('part_key'), p.label))[:16], p.label),
            'is_hidden': p.is_hidden,
            'status': p.status,
            'result': p.result,
            'adjudication': p.adjudication,
            'reason': p.reason,
            'turnaround_seconds': p.turnaround_seconds,
            'unread': p.unread
        }
    ) as parts
from landed as l
left join staging.trait as t on l.vendor = t.vendor and l.subject = t.subject
left join staging.account as a on l.vendor = a.vendor and l.account = a.account
