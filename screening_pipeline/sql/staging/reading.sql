-- One row per distinct set of words of an account's checks: what they mean on the five axes.
--
-- state_key          the set of words (staging.state)
-- lifecycle          where the check stands
-- lifecycle_reason   why it ended, where the vendor's spelling tells
-- result             clear, consider, referred, none (not produced yet) or unknown
-- result_source      vendor, derived_from_adjudication, derived_from_components, or null
-- adjudication       the client's decision, as far as the vendor tells it
-- dispute            none, open, closed or unknown
-- next_actor         who has to act
-- is_terminal        whether nothing more is expected without new evidence
-- is_partial         completed with canceled parts
-- conflicts          codes of the contradictions between the words
-- unmapped           the words that are in no mapping: field and value
-- fingerprint        changes when a verbatim or canonical state column changes
-- lifecycle_rank     how far along the lifecycle is; untimed messages never move a check to a lower one
-- @refresh load
with
word as (
    -- An account may declare what its own words mean (status_aliases).
    select
        s.*,
        t.detail_role,
        t.result_from,
        t.is_result_awaited,
        t.adjudication_default,
        a.adjudication_expected,
        coalesce(list_contains(a.final_adjudications, s.vendor_adjudication), false) as is_declared_final,
        -- An empty text is no word.
        coalesce(sa.meaning, nullif(s.vendor_status, '')) as status_word,
        coalesce(da.meaning, nullif(s.vendor_status_detail, '')) as detail_word,
        coalesce(ra.meaning, nullif(s.vendor_result, '')) as result_word,
        nullif(s.vendor_dispute, '') as dispute_word,
        -- HireRight displays "Not Available" where there is no adjudication yet.
        nullif(nullif(s.vendor_adjudication, 'Not Available'), '') as adjudication_word
    from new_state as s
    inner join staging.trait as t on s.vendor = t.vendor and s.subject = t.subject
    left join staging.account as a on s.vendor = a.vendor and s.account = a.account
    left join staging.alias as sa on s.vendor = sa.vendor and s.account = sa.account and s.vendor_status = sa.value
    left join staging.alias as da
        on s.vendor = da.vendor and s.account = da.account and s.vendor_status_detail = da.value
    left join staging.alias as ra on s.vendor = ra.vendor and s.account = ra.account and s.vendor_result = ra.value
),

-- Only what is asked of a meaning: DuckDB makes room for every field of a struct, at every step it is handed through.
meaning as (
    select
        vendor,
        subject,
        field,
        value,
        valid_from,
        valid_to,
        {
            'value': value, 'lifecycle': lifecycle, 'lifecycle_reason': lifecycle_reason, 'result': result,
            'adjudication': adjudication, 'next_actor': next_actor, 'implied_status': implied_status
        } as told
    from star.dim_vendor_status
),

part_word as (
    select
        state_key,
        vendor,
        subject,
        as_of,
        result_from,
        unnest(part_words) as word
    from word
),

part as (
    select
        w.state_key,
        bool_or(m.result = 'consider' or (w.word = '' and w.result_from = 'status')) as has_consider,
        -- A part without a known word is not clear.
        bool_and(coalesce(m.result = 'clear', false)) as is_all_clear,
        bool_or(m.lifecycle = 'canceled') as has_canceled,
        list(distinct {'field': 'component_status', 'value': w.word})
        filter (where m.value is null and w.word <> '') as unmapped
    from part_word as w
    left join star.dim_vendor_status as m
        on
            w.vendor = m.vendor and w.subject = m.subject
            and m.field = 'component_status' and w.word = m.value
            and w.as_of >= m.valid_from and w.as_of < m.valid_to
    group by w.state_key
),

mapped as (
    select
        w.*,
        s.told as s,
        d.told as d,
        {'value': r.value, 'result': r.result} as r,
        {'value': j.value, 'lifecycle': j.lifecycle, 'result': j.result, 'adjudication': j.adjudication} as j,
        {'value': p.value, 'dispute': p.dispute} as p,
        coalesce(part.has_consider, false) as has_consider_part,
        coalesce(part.is_all_clear, false) as is_all_parts_clear,
        coalesce(part.has_canceled, false) as has_canceled_part,
        coalesce(part.unmapped, []) as unmapped_parts,
        s.told.lifecycle in ('completed', 'canceled', 'expired', 'declined') as is_status_closed,
        d.told.lifecycle in ('completed', 'canceled', 'expired', 'declined') as is_detail_closed,
        w.detail_role = 'overrides' and w.detail_word is not null as is_detail_first,
        -- Zinc tells every state twice, and the two must agree.
        is_detail_first and w.status_word is not null and d.value is not null
        and (w.status_word is distinct from d.told.implied_status) as is_told_twice,
        -- Zinc: the granular word is the truth, the coarse one where it is missing, or where it alone is open.
        case
            when is_detail_first and not (is_told_twice and is_detail_closed and is_status_closed is false) then d.told
            else s.told
        end as u
    from word as w
    left join meaning as s
        on
            w.vendor = s.vendor and w.subject = s.subject and s.field = 'status' and w.status_word = s.value
            and w.as_of >= s.valid_from and w.as_of < s.valid_to
    left join meaning as d
        on
            w.vendor = d.vendor and w.subject = d.subject and d.field = 'detail' and w.detail_word = d.value
            and w.as_of >= d.valid_from and w.as_of < d.valid_to
    left join star.dim_vendor_status as r
        on
            w.vendor = r.vendor and w.subject = r.subject and r.field = 'result' and w.result_word = r.value
            and w.as_of >= r.valid_from and w.as_of < r.valid_to
    left join star.dim_vendor_status as j
        on
            w.vendor = j.vendor and w.subject = j.subject
            and j.field = 'adjudication' and w.adjudication_word = j.value
            and w.as_of >= j.valid_from and w.as_of < j.valid_to
    left join star.dim_vendor_status as p
        on
            w.vendor = p.vendor and w.subject = p.subject and p.field = 'dispute' and w.dispute_word = p.value
            and w.as_of >= p.valid_from and w.as_of < p.valid_to
    left join part on w.state_key = part.state_key
),

lifecycled as (
    select
        *,
        case
            when subject = 'subscription'
                then
                    case is_active when 'true' then 'in_progress' when 'false' then 'canceled' else 'unknown' end
            when u.value is null then 'unknown'
            when detail_role = 'refines' and not is_status_closed and is_detail_closed is false then d.lifecycle
            when detail_role = 'concludes' and s.lifecycle = 'completed' and d.value is not null then d.lifecycle
            -- H9: an adjudication may be asked for while the order runs (stage ordering).
            when u.lifecycle = 'in_progress' and j.lifecycle = 'review_required' then 'review_required'
            -- W2: completed, the result not there yet.
            when u.lifecycle = 'completed' and is_result_awaited and result_word is null then 'in_progress'
            else u.lifecycle
        end as lifecycle,
        case
            when result_from = 'adjudication' and adjudication_word is null
                then if(coalesce(adjudication_expected, false), 'pending', 'not_expected')
            when result_from = 'adjudication' and is_declared_final then 'custom'
            when result_from = 'adjudication' then coalesce(j.adjudication, 'pending')
            else coalesce(u.adjudication, adjudication_default)
        end as adjudication,
        case when dispute_word is null then 'none' else coalesce(p.dispute, 'unknown') end as dispute,
        list_filter(
            [
                if(
                    status_word is not null and s.value is null,
                    {'field': 'status', 'value': vendor_status}, null
                ),
                if(
                    detail_word is not null and d.value is null,
                    {'field': 'detail', 'value': vendor_status_detail}, null
                ),
                if(
                    result_word is not null and r.value is null,
                    {'field': 'result', 'value': vendor_result}, null
                ),
                if(
                    adjudication_word is not null and j.value is null and not is_declared_final,
                    {'field': 'adjudication', 'value': vendor_adjudication}, null
                ),
                if(
                    dispute_word is not null and p.value is null,
                    {'field': 'dispute', 'value': vendor_dispute}, null
                ),
                if(
                    subject = 'subscription' and coalesce(is_active not in ('true', 'false'), true),
                    {'field': 'is_active', 'value': coalesce(is_active, '')}, null
                )
            ],
            lambda x: x is not null
        ) as unmapped
    from mapped
),

resulted as (
    select
        *,
        case
            when subject = 'subscription' then if(u.value is null, 'unknown', coalesce(s.result, 'none'))
            -- An unknown state: Zinc's result as given, everyone else's unknown.
            when u.value is null then if(detail_role = 'overrides', coalesce(r.result, 'unknown'), 'unknown')
            when lifecycle not in ('completed', 'review_required') then 'none'
            when result_from = 'adjudication' then if(lifecycle = 'completed', coalesce(j.result, 'unknown'), 'none')
            when result_from = 'detail' then coalesce(d.result, 'unknown')
            when result_from = 'status' then if(has_consider_part or d.result = 'consider', 'consider', s.result)
            when result_word is not null and r.value is null then 'unknown'
            -- Clear as a whole with something to consider inside: the careful reading.
            when has_consider_part and adjudication <> 'reviewed_unspecified' then 'consider'
            when r.result is not null then r.result
            when u.result is not null then u.result
            when is_all_parts_clear and detail_role = 'none' then 'clear'
            else 'unknown'
        end as result,
        (result_word is not null and r.value is null)
        -- Where the parts make the result, a part that cannot be read leaves it unread.
        or (
            result_from = 'result' and detail_role = 'none' and lifecycle = 'completed'
            and result = 'unknown' and len(unmapped_parts) > 0
        ) as is_result_unread
    from lifecycled
),

acted as (
    select
        *,
        list_filter(
            [
                if(is_told_twice and s.value is not null, 'status_against_detail', null),
                if(
                    detail_role = 'refines' and s.value is not null and d.value is not null
                    and (
                        is_status_closed <> is_detail_closed
                        or (is_detail_closed and not list_contains(string_split(d.implied_status, '|'), status_word))
                    ),
                    'status_against_detail', null
                ),
                if(
                    detail_role = 'concludes' and is_detail_closed and not is_status_closed,
                    'result_before_completion', null
                ),
                if(
                    result_from = 'status' and subject <> 'subscription' and u.result = 'clear'
                    and has_consider_part, 'clear_with_consider', null
                ),
                if(
                    result_from = 'result' and result_word is not null
                    and lifecycle not in ('completed', 'review_required', 'unknown'), 'result_before_completion', null
                ),
                if(
                    is_result_awaited and u.lifecycle = 'completed' and result_word is null,
                    'completed_without_result', null
                ),
                if(
                    result_from = 'result' and lifecycle in ('completed', 'review_required')
                    and adjudication <> 'reviewed_unspecified'
                    and (has_consider_part or r.result = 'consider')
                    and coalesce(u.result, r.result) = 'clear', 'clear_with_consider', null
                ),
                if(
                    subject = 'subscription' and is_active = 'true' and s.lifecycle = 'canceled',
                    'active_but_canceled', null
                )
            ],
            lambda x: x is not null
        ) as conflicts,
        case
            when u.value is null then 'unknown'
            when subject = 'subscription' then if(lifecycle = 'canceled', 'none', s.next_actor)
            when lifecycle in ('canceled', 'expired', 'declined') then 'none'
            when lifecycle = 'review_required' then 'client'
            when lifecycle = 'completed'
                then
                    case
                        when dispute = 'open' then 'vendor'
                        when dispute = 'unknown' or is_result_unread then 'unknown'
                        when adjudication = 'pending' then 'client'
                        when result_from = 'detail' and detail_word is not null and d.value is null then 'unknown'
                        when result_from = 'detail' and d.value is null and coalesce(adjudication_expected, false)
                            then 'client'
                        when result = 'referred' then if(has_vendor_time, 'client', 'vendor')
                        when result = 'consider' and adjudication <> 'reviewed_unspecified' then 'client'
                        else 'none'
                    end
            when detail_role in ('refines', 'concludes') and detail_word is not null and d.value is null then 'unknown'
            when detail_role = 'refines' and is_detail_closed is false then d.next_actor
            when detail_role = 'concludes' and u.lifecycle = 'completed' then d.next_actor
            when u.lifecycle = 'completed' then 'vendor'
            -- A custom adjudication that nobody declared final is the client's to decide, at any stage.
            when adjudication_word is not null and j.value is null and not is_declared_final then 'client'
            else u.next_actor
        end as next_actor
    from resulted
)

select
    state_key,
    lifecycle,
    case when lifecycle = u.lifecycle then u.lifecycle_reason end as lifecycle_reason,
    result,
    case
        when result in ('none', 'unknown') then null
        when result_from = 'adjudication' then 'derived_from_adjudication'
        when result_from = 'result' and (coalesce(r.result, u.result) is distinct from result)
            then 'derived_from_components'
        else 'vendor'
    end as result_source,
    adjudication,
    dispute,
    next_actor,
    len(unmapped) = 0 and not is_result_unread and (
        lifecycle in ('canceled', 'expired', 'declined')
        or (
            lifecycle = 'completed'
            and result <> 'none'
            and not (result = 'referred' and not has_vendor_time)
            and adjudication not in ('pending', 'unknown')
            and dispute not in ('open', 'unknown')
        )
    ) as is_terminal,
    lifecycle = 'completed' and has_canceled_part as is_partial,
    conflicts,
    list_concat(unmapped, unmapped_parts) as unmapped,
    md5_number_lower(concat_ws(
        chr(31), vendor_status, coalesce(vendor_status_detail, chr(30)), coalesce(vendor_result, chr(30)),
        coalesce(vendor_adjudication, chr(30)), coalesce(vendor_dispute, chr(30)),
        lifecycle, result, adjudication, dispute, next_actor, is_terminal, is_partial, len(conflicts) > 0
    )) as fingerprint,
    case
        when is_terminal then 5
        when lifecycle in ('completed', 'unknown') then 4
        when lifecycle = 'review_required' then 3
        when lifecycle = 'in_progress' then 2
        when lifecycle = 'created' then 0
        else 1
    end as lifecycle_rank
from acted
