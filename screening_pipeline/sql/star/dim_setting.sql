-- One row per threshold that the analyses go by.
--
-- name       adverse_waiting_business_days, stale_after_days or stale_after_business_days
-- vendor     the vendor it is about, null for any
-- lifecycle  the lifecycle it is about, null for any
-- value      the threshold, in the unit its name says
-- @refresh base
create table star.dim_setting (
    name varchar,
    vendor varchar,
    lifecycle varchar,
    value double
)
