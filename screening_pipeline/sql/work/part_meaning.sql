-- One row per new set of words with parts: what the words of its parts mean together.
--
-- @refresh work state
with
part_word as (
    select
        state_key,
        vendor,
        subject,
        as_of,
        result_from,
        unnest(part_words) as word
    from state_word
)

select
    w.state_key,
    coalesce(bool_or(m.result = 'consider' or (w.word = '' and w.result_from = 'status')), false) as has_consider,
    -- A part without a known word is not clear.
    bool_and(coalesce(m.result = 'clear', false)) as is_all_clear,
    coalesce(bool_or(m.lifecycle = 'canceled'), false) as has_canceled,
    coalesce(
        list(distinct {'field': 'component_status', 'value': w.word}) filter (where m.value is null and w.word <> ''),
        []
    ) as unmapped
from part_word as w
left join star.dim_vendor_status as m
    on
        w.vendor = m.vendor and w.subject = m.subject
        and m.field = 'component_status' and w.word = m.value
        and w.as_of >= m.valid_from and w.as_of < m.valid_to
group by w.state_key
