-- One row per promised turnaround of the configuration.
--
-- sla_target            its number in the configuration, from 1
-- vendor                the vendor it is about, null for any
-- account               the account it is about, null for any
-- package               the package it is about, null for any
-- clock                 vendor (only time in which the vendor had to act) or total
-- target_business_days  promised business days, null where hours are promised
-- target_hours          promised calendar hours, null where business days are promised
-- @refresh base
create table star.dim_sla_target (
    sla_target integer,
    vendor varchar,
    account varchar,
    package varchar,
    clock varchar,
    target_business_days double,
    target_hours double
)
