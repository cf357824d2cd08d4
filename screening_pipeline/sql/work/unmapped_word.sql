-- One row per new set of words: those that are in no mapping, its own and those of its parts.
--
-- @refresh work state
select
    w.state_key,
    list_filter(
        [
            if(
                w.status_word is not null and w.status_means is null,
                {'field': 'status', 'value': w.vendor_status}, null
            ),
            if(
                w.is_detail_unread,
                {'field': 'detail', 'value': w.vendor_status_detail}, null
            ),
            if(
                w.result_word is not null and w.result_means is null,
                {'field': 'result', 'value': w.vendor_result}, null
            ),
            if(
                w.adjudication_word is not null and w.adjudication_means is null and not w.is_declared_final,
                {'field': 'adjudication', 'value': w.vendor_adjudication}, null
            ),
            if(
                w.dispute_word is not null and w.dispute_means is null,
                {'field': 'dispute', 'value': w.vendor_dispute}, null
            ),
            if(
                star.is_ongoing(w.subject) and coalesce(w.is_active not in ('true', 'false'), true),
                {'field': 'is_active', 'value': coalesce(w.is_active, '')}, null
            )
        ],
        lambda x: x is not null
    ) as of_check,
    coalesce(p.unmapped, []) as of_parts
from word_meaning as w
left join part_meaning as p on w.state_key = p.state_key
