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
with
summary as (
    select
        e.check_key,
        max_by(e.state_key, e.place) as state_key,
        max_by(e.is_unconfirmed, e.place) as is_unconfirmed,
        max_by(e.is_complete, e.place) as is_complete,
        min_by(e.message_number, e.place) filter (where e.is_complete) as done_message,
        min(e.observed_at) as first_observed_at,
        max(e.observed_at) as last_observed_at,
        max(e.observed_at) filter (where e.is_change) as last_changed_at,
        min(e.observed_at) filter (
            where e.lifecycle not in ('created', 'pending', 'awaiting_candidate', 'unknown')
            and not star.is_ended_otherwise(e.lifecycle)
        ) as started_at,
        min(e.observed_at) filter (
            where r.adjudication in (
                'meets', 'does_not_meet', 'final_adverse', 'reviewed_unspecified', 'custom'
            )
        ) as adjudicated_at,
        max(e.observed_at) filter (where e.is_closing) as last_closed_at,
        arg_max_null(e.previous_observed_at, e.place) filter (where e.is_closing) as last_open_at,
        min(e.observed_at) filter (where e.lifecycle = 'review_required') as reviewed_from,
        arg_min_null(e.previous_observed_at, e.place) filter (where e.lifecycle = 'review_required')
            as reviewed_from_earliest,
        count(*) filter (where e.is_reopening) as reopened_count,
        max(e.observed_at) filter (where e.is_reopening) as reopened_at
    from applied as e
    inner join staging.reading as r on e.state_key = r.state_key
    group by e.check_key
),

-- The first message that tells of the completion.
done as (
    select
        e.check_key,
        q.channel,
        q.told_at,
        q.told_until,
        e.observed_at,
        e.previous_observed_at
    from summary as s
    inner join applied as e on s.done_message = e.message_number
    inner join sequence as q on s.done_message = q.message_number
),

beginning as (
    select
        k.check_key,
        min(i.check_id) as check_id
    from staging.continuation as k
    inner join raw."check" as i on k.continues_key = i.check_key
    group by k.check_key
),

timed as (
    select
        c.check_key,
        c.vendor,
        c.account,
        c.subject,
        c.check_id,
        c.first_seen_at,
        p.check_id as continues_check_id,
        a.environment,
        a.calendar,
        a.timezone,
        coalesce(a.is_polled, false) as is_polled,
        f.package,
        f.candidate_key,
        f.country,
        f.region,
        f.cost_center,
        f.tags,
        f.needed_by,
        f.ordered_at,
        b.report_url,
        b.vendor_assessment,
        b.vendor_estimated_on,
        b.vendor_turnaround_seconds,
        b.flex_fields,
        coalesce(b.has_attachment, false) as has_attachment,
        s.* exclude (check_key, state_key, done_message, is_unconfirmed),
        w.vendor_status,
        w.vendor_status_detail,
        w.vendor_result,
        w.vendor_adjudication,
        w.vendor_dispute,
        r.lifecycle_reason,
        r.result_source,
        coalesce(r.lifecycle, 'unknown') as lifecycle,
        coalesce(r.result, 'unknown') as result,
        coalesce(r.adjudication, 'unknown') as adjudication,
        coalesce(r.dispute, 'unknown') as dispute,
        coalesce(r.next_actor, 'unknown') as next_actor,
        coalesce(r.is_terminal, false) as is_terminal,
        coalesce(r.is_partial, false) as is_partial,
        coalesce(len(r.conflicts) > 0 or s.is_unconfirmed, false) as has_conflict,
        d.channel as done_channel,
        d.previous_observed_at is not null as is_seen_before,
        d.told_at is not null as is_dated,
        -- A person's view of one day: a date without a time is the whole local day. What is seen complete was not
        -- complete later than that, whatever the vendor's clock, or the zone of its times, says.
        least(d.told_until, d.observed_at) as done_at,
        case
            -- Not before it was ordered, even where an order is dated after the first look; nulls count for nothing.
            when d.told_at is null then greatest(d.previous_observed_at, f.ordered_at)
            when d.told_until > d.told_at then greatest(d.told_at, f.ordered_at)
            else d.told_at
        end as done_at_earliest
    from concerned as c
    left join summary as s on c.check_key = s.check_key
    left join staging.state as w on s.state_key = w.state_key
    left join staging.reading as r on s.state_key = r.state_key
    left join done as d on c.check_key = d.check_key
    left join order_fact as f on c.check_key = f.check_key
    left join told_beside as b on c.check_key = b.check_key
    left join staging.account as a on c.vendor = a.vendor and c.account = a.account
    left join beginning as p on c.check_key = p.check_key
),

completed as (
    select
        *,
        case when not star.is_ended_otherwise(lifecycle) then done_at end as completed_at,
        case
            when done_at is null or done_at_earliest is null then null
            when not star.is_ended_otherwise(lifecycle) then least(done_at_earliest, done_at)
        end as completed_at_earliest,
        -- What waits for the client's review is screened: the vendor has no part in what follows.
        lifecycle not in ('canceled', 'expired', 'declined')
        and coalesce(reviewed_from < done_at, reviewed_from is not null) as is_reviewed_first,
        case
            when star.is_ended_otherwise(lifecycle) then if(is_terminal, lifecycle, null)
            -- The first completion stands, unless the screening goes on again.
            when is_complete is not true then null
            when not is_dated and not is_seen_before then 'left_censored'
            when ordered_at is null then 'no_order_time'
            -- No time at all is as impossible as less than none, in the whole seconds that are told.
            when date_sub('second', ordered_at, done_at) <= 0 then 'negative'
        end as turnaround_excluded_reason
    from timed
)

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
    case when c.is_terminal then c.last_closed_at end as closed_at,
    case
        when c.is_terminal then least(c.last_closed_at, greatest(c.last_open_at, c.ordered_at))
    end as closed_at_earliest,
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
        when c.is_complete and coalesce(c.turnaround_excluded_reason, '') in ('', 'negative')
            then done_day.business_day_number - order_day.business_day_number
    end as turnaround_business_days,
    c.vendor_turnaround_seconds,
    c.vendor_estimated_on,
    c.turnaround_excluded_reason,
    case
        when c.is_polled and not c.is_terminal then coalesce(p.next_pull_at, c.first_observed_at, c.first_seen_at)
    end as next_pull_at,
    c.has_attachment,
    c.report_url
from completed as c
left join star.dim_calendar as order_day
    on c.calendar = order_day.calendar and star.local_time(c.timezone, c.ordered_at)::date = order_day.date
left join star.dim_calendar as done_day
    on c.calendar = done_day.calendar and star.local_time(c.timezone, c.completed_at)::date = done_day.date
left join ops.pull_plan as p on c.check_key = p.check_key
