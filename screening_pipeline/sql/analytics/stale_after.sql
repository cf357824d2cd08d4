-- One row per vendor and state in which its checks can be: how long such a state may last before it is stale.
--
-- vendor         vendor
-- lifecycle      where the check stands
-- days           calendar days, null where business days count
-- business_days  business days, null where calendar days count
-- @refresh view
with
state as (
    select
        vendor,
        lifecycle
    from star.fact_check
    where is_terminal is not true
    union
    select
        vendor,
        coalesce(lifecycle, 'unknown') as lifecycle
    from star.dim_vendor_status
),

-- The threshold that speaks of most of the vendor and state is the one that counts.
threshold as (
    select
        c.vendor,
        c.lifecycle,
        arg_max({'name': s.name, 'value': s.value}, s.specificity) as rule
    from (
        select
            *,
            if(vendor is null, 0, 2) + if(lifecycle is null, 0, 1) as specificity
        from star.dim_setting
        where name in ('stale_after_days', 'stale_after_business_days')
    ) as s
    inner join state as c
        on coalesce(s.vendor, c.vendor) = c.vendor and coalesce(s.lifecycle, c.lifecycle) = c.lifecycle
    group by c.vendor, c.lifecycle
)

select
    vendor,
    lifecycle,
    if(rule.name = 'stale_after_days', rule.value, null) as days,
    if(rule.name = 'stale_after_business_days', rule.value, null) as business_days
from threshold
