-- One row per new set of words: who has to act.
--
-- @refresh work state
select
    w.state_key,
    case
        when w.leading_means is null then 'unknown'
        when star.is_ongoing(w.subject) then if(l.lifecycle = 'canceled', 'none', w.status_means.next_actor)
        when star.is_ended_otherwise(l.lifecycle) then 'none'
        when l.lifecycle = 'review_required' then 'client'
        when l.lifecycle = 'completed'
            then
                case
                    when a.dispute = 'open' then 'vendor'
                    when a.dispute = 'unknown' or r.is_result_unread then 'unknown'
                    when a.adjudication = 'pending' then 'client'
                    when w.result_from = 'detail' and w.is_detail_unread then 'unknown'
                    -- The case is opened from the finished form; what its last word asks comes after the end.
                    when w.detail_role = 'concludes' then if(w.is_conclusion_awaited, 'client', 'none')
                    when r.result = 'referred' then if(w.has_vendor_time, 'client', 'vendor')
                    when
                        r.result = 'consider'
                        and a.adjudication not in ('reviewed_unspecified', 'meets', 'final_adverse')
                        then 'client'
                    else 'none'
                end
        when w.detail_role in ('refines', 'concludes') and w.is_detail_unread then 'unknown'
        when w.detail_role = 'refines' and w.is_detail_closed is false then w.detail_means.next_actor
        when w.detail_role = 'concludes' and w.leading_means.lifecycle = 'completed' then w.detail_means.next_actor
        when w.leading_means.lifecycle = 'completed' then 'vendor'
        -- A custom adjudication that nobody declared final is the client's to decide, at any stage.
        when w.adjudication_word is not null and w.adjudication_means is null and not w.is_declared_final then 'client'
        else w.leading_means.next_actor
    end as next_actor
from word_meaning as w
inner join state_lifecycle as l on w.state_key = l.state_key
inner join state_adjudication as a on w.state_key = a.state_key
inner join state_result as r on w.state_key = r.state_key
