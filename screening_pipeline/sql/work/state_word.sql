-- One row per new set of words: each word as the account means it, and how the fields of its vendor hang together.
--
-- @refresh work state
-- An account may declare what its own words mean (status_aliases). An empty text is no word.
select
    s.*,
    t.detail_role,
    t.result_from,
    t.is_result_awaited,
    t.part_vocabulary is not null as has_free_form_parts,
    t.adjudication_default,
    t.has_adjudication,
    a.adjudication_expected,
    t.detail_role = 'concludes' and nullif(s.vendor_status_detail, '') is null and coalesce(a.e_verify_expected, false)
        as is_conclusion_awaited,
    coalesce(list_contains(a.final_adjudications, s.vendor_adjudication), false) as is_declared_final,
    coalesce(status_alias.meaning, nullif(s.vendor_status, '')) as status_word,
    coalesce(detail_alias.meaning, nullif(s.vendor_status_detail, '')) as detail_word,
    coalesce(result_alias.meaning, nullif(s.vendor_result, '')) as result_word,
    nullif(s.vendor_dispute, '') as dispute_word,
    -- HireRight displays "Not Available" where there is no adjudication yet.
    nullif(nullif(s.vendor_adjudication, 'Not Available'), '') as adjudication_word
from new_state as s
inner join staging.trait as t on s.vendor = t.vendor and s.subject = t.subject
left join staging.account as a on s.vendor = a.vendor and s.account = a.account
left join staging.alias as status_alias
    on s.vendor = status_alias.vendor and s.account = status_alias.account and s.vendor_status = status_alias.value
left join staging.alias as detail_alias
    on
        s.vendor = detail_alias.vendor and s.account = detail_alias.account
        and s.vendor_status_detail = detail_alias.value
left join staging.alias as result_alias
    on s.vendor = result_alias.vendor and s.account = result_alias.account and s.vendor_result = result_alias.value
