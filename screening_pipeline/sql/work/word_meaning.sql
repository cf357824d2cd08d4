-- One row per new set of words: its words, and what each of them means; null where a word is in no mapping.
--
-- @refresh work state
with
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
            'lifecycle': lifecycle, 'lifecycle_reason': lifecycle_reason, 'result': result,
            'adjudication': adjudication, 'dispute': dispute, 'next_actor': next_actor,
            'implied_status': implied_status
        } as means
    from star.dim_vendor_status
)

select
    w.*,
    status.means as status_means,
    detail.means as detail_means,
    result.means as result_means,
    adjudication.means as adjudication_means,
    dispute.means as dispute_means,
    star.is_ended(status.means.lifecycle) as is_status_closed,
    star.is_ended(detail.means.lifecycle) as is_detail_closed,
    w.detail_word is not null and detail.means is null as is_detail_unread,
    w.detail_role = 'limits' and w.detail_word is not null as is_detail_limiting,
    w.detail_role = 'overrides' and w.detail_word is not null as is_detail_first,
    -- Zinc tells every state twice, and the two must agree.
    is_detail_first and w.status_word is not null and detail.means is not null
    and (w.status_word is distinct from detail.means.implied_status) as is_told_apart,
    -- Zinc: the granular word is the truth, the coarse one where it is missing, or where it alone is open.
    case
        when is_detail_first and not (is_told_apart and is_detail_closed and is_status_closed is false)
            then detail.means
        else status.means
    end as leading_means
from state_word as w
left join meaning as status
    on
        w.vendor = status.vendor and w.subject = status.subject
        and status.field = 'status' and w.status_word = status.value
        and w.as_of >= status.valid_from and w.as_of < status.valid_to
left join meaning as detail
    on
        w.vendor = detail.vendor and w.subject = detail.subject
        and detail.field = 'detail' and w.detail_word = detail.value
        and w.as_of >= detail.valid_from and w.as_of < detail.valid_to
left join meaning as result
    on
        w.vendor = result.vendor and w.subject = result.subject
        and result.field = 'result' and w.result_word = result.value
        and w.as_of >= result.valid_from and w.as_of < result.valid_to
left join meaning as adjudication
    on
        w.vendor = adjudication.vendor and w.subject = adjudication.subject
        and adjudication.field = 'adjudication' and w.adjudication_word = adjudication.value
        and w.as_of >= adjudication.valid_from and w.as_of < adjudication.valid_to
left join meaning as dispute
    on
        w.vendor = dispute.vendor and w.subject = dispute.subject
        and dispute.field = 'dispute' and w.dispute_word = dispute.value
        and w.as_of >= dispute.valid_from and w.as_of < dispute.valid_to
