-- One row per new set of words: codes of the contradictions between them.
--
-- @refresh work state
select
    w.state_key,
    list_filter(
        [
            if(w.is_told_apart and w.status_means is not null, 'status_against_detail', null),
            if(
                w.detail_role = 'refines' and w.status_means is not null and w.detail_means is not null
                and (
                    w.is_status_closed <> w.is_detail_closed
                    or (
                        w.is_detail_closed
                        and not list_contains(string_split(w.detail_means.implied_status, '|'), w.status_word)
                    )
                ),
                'status_against_detail', null
            ),
            if(
                w.detail_role = 'concludes' and w.is_detail_closed and not w.is_status_closed,
                'result_before_completion', null
            ),
            if(
                w.result_from = 'status' and not star.is_ongoing(w.subject) and w.leading_means.result = 'clear'
                and p.has_consider, 'clear_with_consider', null
            ),
            if(
                w.result_from = 'result' and w.result_word is not null
                and l.lifecycle not in ('completed', 'review_required', 'unknown'), 'result_before_completion', null
            ),
            if(
                w.is_result_awaited and w.leading_means.lifecycle = 'completed' and w.result_word is null,
                'completed_without_result', null
            ),
            if(
                w.result_from = 'result' and l.lifecycle in ('completed', 'review_required')
                and a.adjudication <> 'reviewed_unspecified'
                and (p.has_consider or w.result_means.result = 'consider')
                and coalesce(w.leading_means.result, w.result_means.result) = 'clear', 'clear_with_consider', null
            ),
            if(
                star.is_ongoing(w.subject) and w.is_active = 'true' and w.status_means.lifecycle = 'canceled',
                'active_but_canceled', null
            )
        ],
        lambda x: x is not null
    ) as conflicts
from word_meaning as w
inner join state_lifecycle as l on w.state_key = l.state_key
inner join state_adjudication as a on w.state_key = a.state_key
left join part_meaning as p on w.state_key = p.state_key
