-- One row per check and party: for how long that party had to act on it, from ordered until it ended or was last seen.
--
-- check_key   the check
-- vendor      vendor
-- account     account
-- phase       candidate, client, client_or_candidate, vendor, or unknown (nobody known)
-- is_running  whether it had neither completed nor ended otherwise when it was last seen
-- is_holding  whether that party had to act when it was last seen
-- until_at    when it ended, or was last seen
-- until_day   running number of that business day
-- held_us     microseconds, each change of hands at its first observation or the vendor's time
-- least_us    the least it can have been: time between looks that showed the same party
-- most_us     the most it can have been: all time but what was surely another party's
-- held_days   business days, by running numbers, so that those of all phases add up; null before 2010
-- least_days  the least business days it can have been
-- most_days   the most business days it can have been
-- @refresh check_key
with
share as (
    select
        *,
        unnest(['candidate', 'client', 'client_or_candidate', 'vendor', 'unknown']) as phase
    from phase_clock
),

held as (
    select
        check_key,
        phase,
        bool_or(is_last) as is_holding,
        sum(epoch_us(ends_at) - epoch_us(starts_at)) as held_us,
        sum(greatest(0, epoch_us(sure_until) - epoch_us(sure_from))) as sure_us,
        -- Part of the days is no figure: null where a stretch begins or ends on a day that no calendar has.
        if(bool_or(end_day - start_day is null), null, sum(end_day - start_day)) as held_days,
        if(
            bool_or(sure_until_day - sure_from_day is null), null,
            sum(greatest(0, sure_until_day - sure_from_day))
        ) as sure_days
    from phase_stretch
    where not is_end
    group by check_key, phase
),

of_another as (
    select
        *,
        unnest(['candidate', 'client', 'client_or_candidate', 'vendor', 'unknown']) as party
    from held
),

-- Time surely another party's. Nobody knows whose the time of an unknown party was, and that of two may be either's.
others as (
    select
        check_key,
        party as phase,
        sum(sure_us) filter (where not may_be_its_own) as sure_us,
        if(
            bool_or(sure_days is null), null, coalesce(sum(sure_days) filter (where not may_be_its_own), 0)
        ) as sure_days
    from (
        select
            *,
            party = phase
            or (party <> 'unknown' and phase = 'unknown')
            or (party in ('client', 'candidate') and phase = 'client_or_candidate') as may_be_its_own
        from of_another
    )
    group by check_key, party
)

select
    c.check_key,
    c.vendor,
    c.account,
    c.phase,
    c.is_running,
    if(o.check_key is null, c.phase = 'unknown', coalesce(h.is_holding, false)) as is_holding,
    c.ended_at as until_at,
    c.ended_day as until_day,
    -- Of whom nothing was seen before the end, nobody knows who had to act.
    case
        when h.check_key is not null then h.held_us
        when o.check_key is null and c.phase = 'unknown' then epoch_us(c.ended_at) - epoch_us(c.ordered_at)
        else 0
    end::bigint as held_us,
    coalesce(h.sure_us, 0)::bigint as least_us,
    (epoch_us(c.ended_at) - epoch_us(c.ordered_at) - coalesce(o.sure_us, 0))::bigint as most_us,
    case
        when h.check_key is not null then h.held_days
        when o.check_key is null and c.phase = 'unknown' then c.ended_day - c.ordered_day
        else 0
    end::bigint as held_days,
    if(h.check_key is null, 0, h.sure_days)::bigint as least_days,
    (c.ended_day - c.ordered_day - if(o.check_key is null, 0, o.sure_days))::bigint as most_days
from share as c
left join held as h on c.check_key = h.check_key and c.phase = h.phase
left join others as o on c.check_key = o.check_key and c.phase = o.phase
