-- One row per run of a subscription, by its time; the vendor rewrites runs and may stop listing old ones.
--
-- check_key          the subscription
-- vendor             vendor
-- account            account
-- subject            always subscription
-- check_id           the subscription's id
-- run_at             when it ran; when it was first listed, where the vendor tells a time that was yet to come
-- vendor_status      verbatim status, as last told
-- result             clear, consider, none or unknown
-- rewritten_count    how often the vendor told it differently from before
-- first_observed_at  when it was first listed
-- last_observed_at   when it was last listed
-- @refresh check_key
-- @only from concerned where star.is_ongoing(subject) limit 1
with
listed as (
    select
        o.check_key,
        q.place,
        q.received_at as observed_at,
        a.timezone,
        c.vendor,
        c.subject,
        generate_subscripts(o.runs, 1) as position,
        unnest(o.runs, recursive := true)
    from touched_message as o
    inner join sequence as q on o.message_number = q.message_number
    inner join concerned as c on o.check_key = c.check_key
    left join staging.account as a on c.vendor = a.vendor and c.account = a.account
    where q.is_applied and len(o.runs) > 0
),

-- A run that was not yet when it was listed was when it was first listed.
dated as (
    select
        *,
        staging.instant(run_at, timezone) as told_at,
        min(observed_at) over (partition by check_key, run_at) as seen_at
    from listed
),

-- Runs listed for one instant are one row, which tells of the one to look at.
told as (
    select
        l.check_key,
        l.place,
        l.observed_at,
        if(l.told_at > l.seen_at + interval 1 day, l.seen_at, l.told_at) as ran_at,
        max_by({'status': l.status, 'result': m.result}, (coalesce(m.result = 'consider', false), l.position)) as word
    from dated as l
    left join star.dim_vendor_status as m
        on
            l.vendor = m.vendor and l.subject = m.subject and m.field = 'run' and l.status = m.value
            and l.observed_at >= m.valid_from and l.observed_at < m.valid_to
    group by all
),

compared as (
    select
        check_key,
        place,
        observed_at,
        ran_at,
        word.status as status,
        word.result as result,
        lag(word.status) over (partition by check_key, ran_at order by place asc nulls last) as status_before
    from told
),

run as (
    select
        check_key,
        ran_at as run_at,
        max_by(compared, place) as last,
        count(*) filter (where status <> status_before)::integer as rewritten_count,
        min(observed_at) as first_observed_at
    from compared
    where ran_at is not null
    group by check_key, ran_at
)

select
    r.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    r.run_at,
    r.last.status as vendor_status,
    coalesce(r.last.result, 'unknown') as result,
    r.rewritten_count,
    r.first_observed_at,
    r.last.observed_at as last_observed_at
from run as r
inner join concerned as c on r.check_key = c.check_key
