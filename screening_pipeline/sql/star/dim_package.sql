-- One row per package that an account orders or its vendor lists.
--
-- package_key   surrogate, the same after a rebuild
-- vendor        vendor
-- account       account
-- package       as ordered; else the vendor's id of it
-- package_name  the vendor's name of it, where it lists its packages
-- is_ordered    whether an order names it
-- @refresh full
with
listed as (
    select
        vendor,
        account,
        package_id,
        max_by(package_name, listed_at) as package_name
    from staging.package
    group by vendor, account, package_id
),

ordered as (
    select distinct
        vendor,
        account,
        package
    from raw."order"
    where package is not null
),

named as (
    select
        coalesce(o.vendor, l.vendor) as vendor,
        coalesce(o.account, l.account) as account,
        coalesce(o.package, l.package_id) as package,
        l.package_name,
        o.package is not null as is_ordered
    from ordered as o
    full join listed as l
        on o.vendor = l.vendor and o.account = l.account and (o.package = l.package_id or o.package = l.package_name)
)

select
    staging.key_of(vendor, account, package) as package_key,
    vendor,
    account,
    package,
    min(package_name) as package_name,
    is_ordered
from named
group by all
