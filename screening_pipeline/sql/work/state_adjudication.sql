-- One row per new set of words: what the client decided, and whether the candidate contests what was found.
--
-- @refresh work state
select
    state_key,
    case
        when result_from = 'adjudication' and adjudication_word is null
            then if(coalesce(adjudication_expected, false), 'pending', 'not_expected')
        when result_from = 'adjudication' and is_declared_final then 'custom'
        when result_from = 'adjudication' then coalesce(adjudication_means.adjudication, 'pending')
        -- A decision beside a result: it is told, or awaited where there is something to consider.
        when adjudication_word is not null and is_declared_final then 'custom'
        when adjudication_word is not null then coalesce(adjudication_means.adjudication, 'pending')
        when
            has_adjudication and coalesce(adjudication_expected, false)
            and coalesce(result_means.result, leading_means.result) = 'consider'
            then 'pending'
        else coalesce(leading_means.adjudication, adjudication_default)
    end as adjudication,
    case
        when dispute_word is null then coalesce(leading_means.dispute, 'none')
        else coalesce(dispute_means.dispute, 'unknown')
    end as dispute
from word_meaning
