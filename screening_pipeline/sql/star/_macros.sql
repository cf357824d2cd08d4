-- The local time of an instant (timestamptz), and the instant of a local time (timestamp). Made anew with a branch for
-- each time zone of an account (build.name_zones): a zone that is read from a column costs ten times what one known
-- beforehand does. In a snapshot they are arithmetic, since the calendar of whoever reads would bend anything else.
create or replace macro star.local_time(zone, moment) as (timezone(zone, moment));

create or replace macro star.instant_of(zone, local) as (timezone(zone, local));

-- The Monday with which an instant's week begins in UTC, as plain arithmetic: millions of calls ask for it.
create or replace macro star.utc_week(moment) as (
    date '1970-01-05' + (7 * ((epoch_us(moment) - 345600000000) // 604800000000))::integer
);

-- Whether a check in this state came to an end without being completed.
create or replace macro star.is_ended_otherwise(lifecycle) as (lifecycle in ('canceled', 'expired', 'declined'));

-- Whether a check in this state came to an end, in whatever way.
create or replace macro star.is_ended(lifecycle) as (lifecycle = 'completed' or star.is_ended_otherwise(lifecycle));

-- Whether a check of this subject is for years: what it finds are runs, and it never completes.
create or replace macro star.is_ongoing(subject) as (subject in ('subscription', 'continuous_check'));

-- Whose time it is while this is who has to act; unknown where it is nobody known.
create or replace macro star.phase_of(next_actor) as (
    if(next_actor in ('candidate', 'client', 'client_or_candidate', 'vendor'), next_actor, 'unknown')
);

-- By when 50, 75, 90 and 95 in 100 are reached, over the times of a curve and its share at each. A product of fractions
-- meets its share but for rounding.
create or replace macro star.times_reached(moment, share) as ([
    min(moment) filter (where share + 1e-9 >= 0.5),
    min(moment) filter (where share + 1e-9 >= 0.75),
    min(moment) filter (where share + 1e-9 >= 0.9),
    min(moment) filter (where share + 1e-9 >= 0.95)
]);
