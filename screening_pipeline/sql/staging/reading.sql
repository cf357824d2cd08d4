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
-- is_partial         completed with canceled parts, as the parts or the detail tell
-- conflicts          codes of the contradictions between the words
-- unmapped           the words that are in no mapping: field and value
-- fingerprint        changes when a verbatim or canonical state column changes
-- is_complete        whether the screening is complete, as far as words tell
-- evidence           how far a dispute and a decision have come (staging.evidence): what rises can only come later
-- lifecycle_rank     how far along the lifecycle is; untimed messages never move a check to a lower one
-- @refresh state
with
whole as (
    select
        s.*,
        l.lifecycle,
        l.lifecycle_reason,
        r.result,
        r.result_source,
        a.adjudication,
        a.dispute,
        n.next_actor,
        c.conflicts,
        list_concat(u.of_check, u.of_parts) as unmapped,
        l.lifecycle = 'completed' and not w.is_conclusion_awaited as is_complete,
        staging.evidence(
            case a.dispute when 'none' then 0 when 'closed' then 2 else 1 end,
            case
                when w.has_adjudication
                    then
                        case
                            when w.adjudication_word is null then 0
                            when a.adjudication in ('pending', 'unknown') then 1
                            else 2
                        end
                when w.detail_role <> 'concludes' or w.detail_word is null then 0
                when w.is_detail_closed then 2
                else 1
            end
        ) as evidence,
        len(u.of_check) = 0 and not r.is_result_unread and (
            star.is_ended_otherwise(l.lifecycle)
            or (
                l.lifecycle = 'completed'
                and r.result <> 'none'
                and not w.is_conclusion_awaited
                and not (r.result = 'referred' and not s.has_vendor_time)
                and a.adjudication not in ('pending', 'pre_adverse', 'unknown')
                and a.dispute not in ('open', 'unknown')
            )
        ) as is_terminal,
        l.lifecycle = 'completed' and (coalesce(p.has_canceled, false) or w.is_detail_limiting) as is_partial
    from new_state as s
    inner join word_meaning as w on s.state_key = w.state_key
    inner join state_lifecycle as l on s.state_key = l.state_key
    inner join state_adjudication as a on s.state_key = a.state_key
    inner join state_result as r on s.state_key = r.state_key
    inner join state_next_actor as n on s.state_key = n.state_key
    inner join state_conflict as c on s.state_key = c.state_key
    inner join unmapped_word as u on s.state_key = u.state_key
    left join part_meaning as p on s.state_key = p.state_key
)

select
    state_key,
    lifecycle,
    lifecycle_reason,
    result,
    result_source,
    adjudication,
    dispute,
    next_actor,
    is_terminal,
    is_partial,
    conflicts,
    unmapped,
    md5_number_lower(concat_ws(
        chr(31), vendor_status, coalesce(vendor_status_detail, chr(30)), coalesce(vendor_result, chr(30)),
        coalesce(vendor_adjudication, chr(30)), coalesce(vendor_dispute, chr(30)),
        lifecycle, result, adjudication, dispute, next_actor, is_terminal, is_partial, len(conflicts) > 0
    )) as fingerprint,
    is_complete,
    evidence,
    case
        when is_terminal then 5
        when lifecycle in ('completed', 'unknown') then 4
        when lifecycle = 'review_required' then 3
        when lifecycle = 'in_progress' then 2
        when lifecycle = 'created' then 0
        else 1
    end as lifecycle_rank
from whole
