-- One row per check observed by the instant `t` (timestamptz): its state as it was known then.
--
-- check_key             the check
-- vendor                vendor
-- account               account
-- subject               what kind of thing the vendor checks
-- check_id              the vendor's id, as text
-- event_seq             the change that led to that state
-- vendor_status         verbatim status
-- vendor_status_detail  verbatim detail of the status
-- vendor_result         verbatim result
-- vendor_adjudication   verbatim adjudication
-- vendor_dispute        verbatim dispute status
-- lifecycle             where the check stood
-- lifecycle_reason      why it ended, where the vendor tells
-- result                clear, consider, referred, none or unknown
-- result_source         where the result comes from
-- adjudication          the client's decision
-- dispute               none, open, closed or unknown
-- next_actor            who had to act
-- is_terminal           whether nothing more was expected
-- is_partial            completed with canceled parts
-- has_conflict          whether the vendor's words contradicted each other
-- observed_at           since when that state was known
-- occurred_at           when it came about, where the vendor says so
-- @refresh macro
create macro star.check_as_of(t) as table
    select
        e.check_key,
        e.vendor,
        e.account,
        e.subject,
        e.check_id,
        e.event_seq,
        e.vendor_status,
        e.vendor_status_detail,
        e.vendor_result,
        e.vendor_adjudication,
        e.vendor_dispute,
        e.lifecycle,
        e.lifecycle_reason,
        e.result,
        e.result_source,
        e.adjudication,
        e.dispute,
        e.next_actor,
        e.is_terminal,
        e.is_partial,
        e.has_conflict,
        e.observed_at,
        e.occurred_at
    from star.fact_check_event as e
    where e.observed_at <= t
    qualify row_number() over (partition by e.check_key order by e.event_seq desc nulls last) = 1
