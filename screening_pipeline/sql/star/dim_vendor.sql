-- One row per vendor the pipeline knows.
--
-- vendor               slug
-- vendor_name          the vendor's own name
-- documentation        where it documents its API
-- requests_per_minute  calls allowed in a minute by default
-- is_limit_published   whether the vendor publishes that limit or it is ours
-- @refresh base
create table star.dim_vendor (
    vendor varchar,
    vendor_name varchar,
    documentation varchar,
    requests_per_minute integer,
    is_limit_published boolean
)
