-- Do vendors keep what they promised? What the figures mean is told in docs/questions.md.

select
    t.vendor, t.clock, coalesce(t.target_hours || ' h', t.target_business_days || ' business days') as promise,
    t.n, t.attainment, t.attainment_at_worst, t.attainment_at_best, t.n_uncertain, t.n_young, t.note
from analytics.sla_attainment as t
order by t.sla_target, t.vendor;

select sla_target, vendor, week, n, attainment_at_worst, attainment_at_best, note
from analytics.sla_attainment_by_week
order by sla_target, vendor, week;

select vendor, check_id, package, clock, is_running, is_certain, overrun_seconds, overrun_business_days
from analytics.sla_breaches
where is_certain
order by vendor, overrun_business_days desc, overrun_seconds desc;

select vendor, check_id, clock, elapsed_seconds_least, elapsed_seconds_most, elapsed_business_days, is_met
from analytics.sla_check
where is_met is null and elapsed_seconds is not null;

select check_id, clock, outcome, spent_seconds, spent_seconds_least, spent_seconds_most
from analytics.sla_elapsed
where not is_mature;
