-- One row per new set of words: where the check stands, and why it ended there.
--
-- @refresh work state
select
    state_key,
    case
        when star.is_ongoing(subject)
            then case is_active when 'true' then 'in_progress' when 'false' then 'canceled' else 'unknown' end
        when leading_means is null then 'unknown'
        when detail_role = 'refines' and not is_status_closed and is_detail_closed is false
            then detail_means.lifecycle
        when detail_role = 'concludes' and status_means.lifecycle = 'completed' and detail_means is not null
            then detail_means.lifecycle
        -- H9: an adjudication may be asked for while the order runs (stage ordering).
        when leading_means.lifecycle = 'in_progress' and adjudication_means.lifecycle = 'review_required'
            then 'review_required'
        -- W2: completed, the result not there yet.
        when leading_means.lifecycle = 'completed' and is_result_awaited and result_word is null then 'in_progress'
        else leading_means.lifecycle
    end as lifecycle,
    case when lifecycle = leading_means.lifecycle then leading_means.lifecycle_reason end as lifecycle_reason
from word_meaning
