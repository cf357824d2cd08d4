-- One row per new set of words: what was found, who says so, and whether it is there and cannot be read.
--
-- @refresh work state
with
resulted as (
    select
        w.state_key,
        w.result_from,
        -- Of a word told twice only the granular one tells a result by itself.
        coalesce(
            w.result_means.result,
            if(w.detail_role = 'overrides' and w.detail_word is null, null, w.leading_means.result)
        ) as told_result,
        w.result_word is not null and w.result_means is null as is_word_unread,
        -- Where the parts make the result, an unreadable part leaves it unread; what a provider is free to write
        -- there keeps nothing open.
        w.result_from = 'result' and w.detail_role = 'none' and l.lifecycle = 'completed' and not w.has_free_form_parts
        and coalesce(len(p.unmapped) > 0, false) as is_part_unread,
        case
            when star.is_ongoing(w.subject)
                then if(w.leading_means is null, 'unknown', coalesce(w.status_means.result, 'none'))
            -- An unknown state: Zinc's result as given, everyone else's unknown.
            when w.leading_means is null
                then if(w.detail_role = 'overrides', coalesce(w.result_means.result, 'unknown'), 'unknown')
            when l.lifecycle not in ('completed', 'review_required') then 'none'
            when w.result_from = 'adjudication'
                then if(l.lifecycle = 'completed', coalesce(w.adjudication_means.result, 'unknown'), 'none')
            when w.result_from = 'detail' then coalesce(w.detail_means.result, 'unknown')
            when w.result_from = 'status'
                then if(p.has_consider or w.detail_means.result = 'consider', 'consider', w.status_means.result)
            when is_word_unread then 'unknown'
            -- Clear as a whole with something to consider inside: the careful reading.
            when p.has_consider and a.adjudication <> 'reviewed_unspecified' then 'consider'
            when told_result is not null then told_result
            when p.is_all_clear and w.detail_role = 'none' then 'clear'
            else 'unknown'
        end as result
    from word_meaning as w
    inner join state_lifecycle as l on w.state_key = l.state_key
    inner join state_adjudication as a on w.state_key = a.state_key
    left join part_meaning as p on w.state_key = p.state_key
)

select
    state_key,
    result,
    case
        when result in ('none', 'unknown') then null
        when result_from = 'adjudication' then 'derived_from_adjudication'
        when result_from = 'result' and (told_result is distinct from result) then 'derived_from_components'
        else 'vendor'
    end as result_source,
    is_word_unread or (is_part_unread and result = 'unknown') as is_result_unread
from resulted
