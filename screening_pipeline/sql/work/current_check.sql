-- One row per check being recomputed: how it stands, and when it was ordered, complete and over.
--
-- @refresh work
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
    *,
    case when is_terminal then last_closed_at end as closed_at,
    case when is_terminal then least(last_closed_at, greatest(last_open_at, ordered_at)) end as closed_at_earliest
from completed
