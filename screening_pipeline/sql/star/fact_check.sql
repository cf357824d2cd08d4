-- One row per check: its current state, as last told, and its times.
--
-- check_key                    which check, numbered in order of arrival
-- vendor                       vendor
-- account                      account
-- subject                      what kind of thing the vendor checks
-- check_id                     the vendor's id, as text
-- continues_check_id           the vendor's id of what led to it and is one with it, an invitation say; else null
-- environment                  the account's environment
-- vendor_status                verbatim status, null when absent
-- vendor_status_detail         verbatim detail of the status, null when absent
-- vendor_result                verbatim result, null when absent
-- vendor_adjudication          verbatim adjudication, null when absent
-- vendor_dispute               verbatim dispute status, null when absent
-- vendor_assessment            verbatim, what the customer's own rules at the vendor make of it, as last told
-- lifecycle                    where the check stands; unknown until it was first observed
-- lifecycle_reason             why it ended, where the vendor tells
-- result                       clear, consider, referred, none (not produced yet) or unknown
-- result_source                vendor, derived_from_adjudication, derived_from_components, or null
-- adjudication                 the client's decision
-- dispute                      none, open, closed or unknown
-- next_actor                   who has to act
-- is_terminal                  whether nothing more is expected
-- is_partial                   completed with canceled parts
-- has_conflict                 whether the present words contradict each other, or nobody has confirmed the state
-- package                      what was ordered
-- package_key                  star.dim_package
-- candidate_key                keyed pseudonym of the person (star.dim_candidate)
-- country                      country of the order
-- region                       region of the order
-- cost_center                  cost center of the order
-- tags                         labels of the order, a JSON object
-- flex_fields                  the customer's own fields, as last told, of those that its account names; a JSON object
-- needed_by                    day by which it is needed, such as the first day at work, as told last
-- ordered_at                   when it was ordered
-- ordered_on                   the local date of it
-- ordered_day                  running number of that business day
-- first_observed_at            the first message about it
-- last_observed_at             the last message that says how it stands
-- last_changed_at              the last change of its state
-- started_at                   first observation past created and awaiting_candidate
-- completed_at                 when the screening was complete: the vendor's time, or the first observation of it
-- completed_at_earliest        the earliest it can have been complete
-- completed_at_source          vendor, push or observed
-- screening_done_at            when the vendor's part was over: complete, or first seen waiting for a review
-- screening_done_at_earliest   the earliest it can have been over
-- adjudicated_at               first observation of a final adjudication
-- closed_at                    first observation of the present ended stretch, null while open
-- closed_at_earliest           the earliest it can have ended: the observation before that, or the order
-- ended_on                     local date on which it was complete or ended, null while open
-- ended_day                    running number of that business day
-- ended_day_earliest           the same of the earliest it can have been; while open, of the last look at it
-- reopened_count               how often it was opened again
-- reopened_at                  when it was last opened again
-- turnaround_seconds           seconds from ordered_at to completed_at; null while the screening goes on, or excluded
-- turnaround_seconds_earliest  the same to completed_at_earliest
-- turnaround_business_days     business days between the two local dates, in the account's calendar and zone
-- vendor_turnaround_seconds    how long it took, as the vendor counts; ours is turnaround_seconds
-- vendor_estimated_on          the day on which the vendor thinks, or last thought, that it will be complete
-- turnaround_excluded_reason   canceled, expired, declined, left_censored, no_order_time or negative, if left out
-- next_pull_at                 when it is asked next, null when terminal or when its account is not asked
-- has_attachment               whether the vendor has attached a document; it is not kept, nor is a link to it
-- report_url                   the vendor's page, without its query
-- @refresh check_key
select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    c.continues_check_id,
    c.environment,
    c.vendor_status,
    c.vendor_status_detail,
    c.vendor_result,
    c.vendor_adjudication,
    c.vendor_dispute,
    c.vendor_assessment,
    c.lifecycle,
    c.lifecycle_reason,
    c.result,
    c.result_source,
    c.adjudication,
    c.dispute,
    c.next_actor,
    c.is_terminal,
    c.is_partial,
    c.has_conflict,
    c.package,
    staging.key_of(c.vendor, c.account, c.package) as package_key,
    c.candidate_key,
    c.country,
    c.region,
    c.cost_center,
    c.tags,
    c.flex_fields,
    c.needed_by,
    c.ordered_at,
    d.ordered_on,
    d.ordered_day,
    c.first_observed_at,
    c.last_observed_at,
    c.last_changed_at,
    c.started_at,
    c.completed_at,
    c.completed_at_earliest,
    case
        when c.completed_at is null then null
        when c.is_dated then 'vendor'
        when c.done_channel = 'push' then 'push'
        else 'observed'
    end as completed_at_source,
    if(c.is_reviewed_first, c.reviewed_from, c.completed_at) as screening_done_at,
    if(c.is_reviewed_first, greatest(c.reviewed_from_earliest, c.ordered_at), c.completed_at_earliest)
        as screening_done_at_earliest,
    c.adjudicated_at,
    c.closed_at,
    c.closed_at_earliest,
    d.ended_on,
    d.ended_day,
    d.ended_day_earliest,
    coalesce(c.reopened_count, 0)::integer as reopened_count,
    c.reopened_at,
    case
        when c.is_complete and coalesce(c.turnaround_excluded_reason, '') in ('', 'negative')
            then date_sub('second', c.ordered_at, c.completed_at)
    end as turnaround_seconds,
    case
        when c.is_complete and coalesce(c.turnaround_excluded_reason, '') in ('', 'negative')
            then date_sub('second', c.ordered_at, c.completed_at_earliest)
    end as turnaround_seconds_earliest,
    case
        when
            c.is_complete and c.completed_at is not null
            and coalesce(c.turnaround_excluded_reason, '') in ('', 'negative')
            then d.ended_day - d.ordered_day
    end as turnaround_business_days,
    c.vendor_turnaround_seconds,
    c.vendor_estimated_on,
    c.turnaround_excluded_reason,
    case
        when c.is_polled and not c.is_terminal then coalesce(p.next_pull_at, c.first_observed_at, c.first_seen_at)
    end as next_pull_at,
    c.has_attachment,
    c.report_url
from current_check as c
inner join check_day as d on c.check_key = d.check_key
left join ops.pull_plan as p on c.check_key = p.check_key
