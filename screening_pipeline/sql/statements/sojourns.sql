-- How long checks stayed in each state since `$since`, as far as it is known.
with
-- The first state counts from the order.
entered as (
    select
        e.check_key,
        e.event_seq,
        e.vendor,
        f.package,
        e.lifecycle,
        e.observed_at,
        f.last_observed_at,
        c.first_seen_at,
        if(e.event_seq = 1, least(coalesce(f.ordered_at, e.observed_at), e.observed_at), e.observed_at) as entered_at
    from star.fact_check_event as e
    inner join star.fact_check as f on e.check_key = f.check_key
    inner join raw."check" as c on e.check_key = c.check_key
    where e.is_terminal is not true
),

-- Checks that left their first state before they were announced to us are in no sample: those that stayed were not at
-- risk before (left truncation).
seen as (
    select
        s.vendor,
        s.package,
        s.lifecycle,
        epoch(coalesce(e.observed_at_earliest, s.observed_at)) - epoch(s.entered_at) as seconds_lower,
        epoch(coalesce(e.observed_at, s.last_observed_at)) - epoch(s.entered_at) as seconds_upper,
        e.check_key is null as is_censored,
        s.entered_at,
        coalesce(e.is_terminal is not true and e.check_key is not null, false) as is_followed,
        greatest(0, if(s.event_seq = 1, epoch(least(s.first_seen_at, s.observed_at)) - epoch(s.entered_at), 0))
            as seconds_before
    from entered as s
    left join star.fact_check_event as e on s.check_key = e.check_key and s.event_seq + 1 = e.event_seq
    where s.entered_at >= $since
),

-- What was over when it was first looked at left a state that nobody saw.
unseen as (
    select
        e.vendor,
        f.package,
        'unknown' as lifecycle,
        0 as seconds_lower,
        epoch(e.observed_at) - epoch(f.ordered_at) as seconds_upper,
        false as is_censored,
        f.ordered_at as entered_at,
        false as is_followed,
        0 as seconds_before
    from star.fact_check_event as e
    inner join star.fact_check as f on e.check_key = f.check_key
    inner join raw."check" as c on e.check_key = c.check_key
    where
        e.event_seq = 1 and e.is_terminal and f.ordered_at between $since and e.observed_at
        and c.first_seen_at <= f.ordered_at + interval 1 hour
)

select * from seen
union all
select * from unseen;
