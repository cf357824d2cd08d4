-- One row per change of the checks being recomputed: how late it was seen, at least and at most.
--
-- @refresh work
-- Once for all who ask: what was seen has been seen, and no later message makes it earlier.
with
told as (
    select
        e.message_number,
        q.received_at as observed_at,
        q.occurred_at,
        e.previous_observed_at,
        -- Only a pull shows that nothing had changed until the look before; a dated message speaks of its date.
        case when q.channel = 'pull' or q.occurred_at is null then e.previous_observed_at end as unchanged_at,
        a.calendar,
        a.timezone
    from applied as e
    inner join sequence as q on e.message_number = q.message_number
    inner join concerned as c on q.check_key = c.check_key
    left join star.dim_account as a on c.vendor = a.vendor and c.account = a.account
    where e.is_change
),

-- A first message without a time says nothing about how late it is; a vendor's clock may run ahead of ours.
happened as (
    select
        *,
        case
            when coalesce(occurred_at, previous_observed_at) is not null
                then least(greatest(occurred_at, unchanged_at), observed_at)
        end as happened_at,
        case
            when occurred_at is null then observed_at
            -- The first moment of a local day stands for a date: it may have been any time of it.
            when star.local_time(timezone, occurred_at)::time = time '00:00:00'
                then least(
                    greatest(
                        star.instant_of(timezone, star.local_time(timezone, occurred_at) + interval 1 day),
                        unchanged_at
                    ),
                    observed_at
                )
            else least(greatest(occurred_at, unchanged_at), observed_at)
        end as happened_at_latest
    from told
)

select
    h.message_number,
    case
        when h.happened_at is not null then date_sub('second', h.happened_at_latest, h.observed_at)
    end as seconds_late_least,
    date_sub('second', h.happened_at, h.observed_at) as seconds_late_most,
    seen_day.business_day_number - happened_day.business_day_number as business_days_late
from happened as h
left join star.dim_calendar as happened_day
    on h.calendar = happened_day.calendar and star.local_time(h.timezone, h.happened_at)::date = happened_day.date
left join star.dim_calendar as seen_day
    on
        h.calendar = seen_day.calendar
        -- Of a change of which nobody knows when it happened, no day is needed.
        and if(h.happened_at is null, null, star.local_time(h.timezone, h.observed_at)::date) = seen_day.date
