-- One row per check on the way to an adverse action: its timeline, and whether each step waited long enough.
--
-- check_key                   the check
-- vendor                      vendor
-- account                     account
-- subject                     what kind of thing the vendor checks
-- check_id                    the vendor's id, as text
-- package                     what was ordered
-- not_met_at                  first observation of a decision against the person, null where none was shown
-- pre_adverse_at              first observation of the last notice before the action, null where none was shown
-- final_adverse_at            first observation of the action itself, null while it has not come
-- final_adverse_at_earliest   the earliest it can have come, null where that is not known
-- dispute_opened_at           when the person's last dispute was first seen open, null where there was none
-- dispute_closed_at           when it was first seen closed
-- waiting_since               since when the waiting period runs: the notice, or the end of a dispute
-- required_business_days      business days that the waiting period lasts
-- waited_seconds              calendar seconds waited, to the action or the latest instant known
-- waited_business_days        business days waited
-- waited_business_days_least  the least business days that can have been waited
-- is_without_notice           the action came and no notice before it was ever shown
-- is_too_early                the action came, and may have come before the waiting period was over
-- is_during_dispute           the action came while a dispute was open, or was first seen together with one
-- is_waiting_over             no action yet, no other decision, no dispute open, and the waiting period is over
-- @refresh view
with
on_the_way as (
    select distinct check_key
    from star.fact_check_event
    where adjudication in ('does_not_meet', 'pre_adverse', 'final_adverse')
),

decision as (
    select
        check_key,
        event_seq,
        adjudication,
        observed_at,
        coalesce(occurred_at, observed_at_earliest) as happened_at_earliest,
        coalesce(adjudication <> lag(adjudication) over sequence, true) as is_taken,
        min(event_seq) filter (where adjudication = 'final_adverse') over (partition by check_key) as final_seq
    from star.fact_check_event
    semi join on_the_way using (check_key)
    window sequence as (partition by check_key order by event_seq asc nulls last)
),

-- A notice that was taken back and given again counts from when it was given again.
step as (
    select
        check_key,
        min(observed_at) filter (where adjudication = 'does_not_meet') as not_met_at,
        max(observed_at) filter (
            where adjudication = 'pre_adverse' and is_taken and coalesce(event_seq < final_seq, true)
        ) as pre_adverse_at,
        max(observed_at) filter (where event_seq = final_seq) as final_adverse_at,
        max(least(happened_at_earliest, observed_at)) filter (
            where event_seq = final_seq and happened_at_earliest is not null
        ) as acted_at_earliest
    from decision
    group by check_key
),

disputed as (
    select
        s.check_key,
        max(d.opened_at) as dispute_opened_at,
        arg_max_null(d.closed_at, d.dispute_seq) as dispute_closed_at,
        max(d.closed_at) filter (
            where s.final_adverse_at is null or d.closed_at <= s.final_adverse_at
        ) as settled_at,
        bool_or(
            d.opened_at <= s.final_adverse_at and coalesce(d.closed_at > s.final_adverse_at, true)
        ) as is_during_dispute,
        bool_or(d.closed_at is null) as is_disputed
    from step as s
    inner join star.fact_dispute as d on s.check_key = d.check_key
    group by s.check_key
),

placed as (
    select
        f.vendor,
        f.account,
        f.subject,
        f.check_id,
        f.package,
        s.* exclude (acted_at_earliest),
        if(s.final_adverse_at is null, null, coalesce(s.acted_at_earliest, f.ordered_at))
            as final_adverse_at_earliest,
        f.adjudication,
        d.dispute_opened_at,
        d.dispute_closed_at,
        coalesce(d.is_disputed, false) as is_disputed,
        coalesce(d.is_during_dispute, false) as is_during_dispute,
        h.calendar,
        h.timezone,
        case
            when s.pre_adverse_at is not null then greatest(s.pre_adverse_at, d.settled_at)
        end as waiting_since,
        coalesce(s.final_adverse_at, h.latest_at) as until_at,
        if(s.final_adverse_at is null, h.latest_at, final_adverse_at_earliest) as until_at_earliest,
        (
            select t.value from star.dim_setting as t where t.name = 'adverse_waiting_business_days'
        ) as required_business_days
    from step as s
    inner join star.fact_check as f on s.check_key = f.check_key
    inner join analytics.account_horizon as h on f.vendor = h.vendor and f.account = h.account
    left join disputed as d on s.check_key = d.check_key
),

waited as (
    select
        p.*,
        greatest(0, date_sub('second', p.waiting_since, p.until_at)) as seconds,
        -- Null where no calendar has the day, of which `greatest` would take no notice.
        if(
            until_day.business_day_number < since_day.business_day_number, 0,
            until_day.business_day_number - since_day.business_day_number
        ) as business_days,
        if(
            early_day.business_day_number < since_day.business_day_number, 0,
            early_day.business_day_number - since_day.business_day_number
        ) as business_days_least
    from placed as p
    left join star.dim_calendar as since_day
        on p.calendar = since_day.calendar and star.local_time(p.timezone, p.waiting_since)::date = since_day.date
    left join star.dim_calendar as until_day
        on p.calendar = until_day.calendar and star.local_time(p.timezone, p.until_at)::date = until_day.date
    left join star.dim_calendar as early_day
        on
            p.calendar = early_day.calendar
            and star.local_time(p.timezone, p.until_at_earliest)::date = early_day.date
)

select
    check_key,
    vendor,
    account,
    subject,
    check_id,
    package,
    not_met_at,
    pre_adverse_at,
    final_adverse_at,
    final_adverse_at_earliest,
    dispute_opened_at,
    dispute_closed_at,
    waiting_since,
    required_business_days,
    if(waiting_since is null, null, seconds) as waited_seconds,
    if(waiting_since is null, null, business_days) as waited_business_days,
    if(waiting_since is null, null, business_days_least) as waited_business_days_least,
    final_adverse_at is not null and pre_adverse_at is null as is_without_notice,
    coalesce(
        final_adverse_at is not null and waiting_since is not null
        and business_days_least < required_business_days,
        false
    ) as is_too_early,
    is_during_dispute,
    coalesce(
        final_adverse_at is null and not is_disputed and waiting_since is not null
        and adjudication in ('does_not_meet', 'pre_adverse')
        and business_days >= required_business_days,
        false
    ) as is_waiting_over
from waited
