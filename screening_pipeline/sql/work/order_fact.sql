-- One row per check being recomputed: what its orders say, the first value told of each.
--
-- @refresh work
select
    o.check_key,
    arg_min(o.candidate_key, o.order_seq) as candidate_key,
    arg_min(o.package, o.order_seq) as package,
    arg_min(o.ordered_at, o.order_seq) as ordered_at,
    arg_min(o.country, o.order_seq) as country,
    arg_min(o.region, o.order_seq) as region,
    arg_min(o.cost_center, o.order_seq) as cost_center,
    arg_min(o.tags, o.order_seq) as tags,
    list_filter(
        [
            if(count(distinct o.candidate_key) > 1, 'candidate_ref', null),
            if(count(distinct o.package) > 1, 'package', null),
            if(count(distinct o.ordered_at) > 1, 'ordered_at', null),
            if(count(distinct o.country) > 1, 'country', null),
            if(count(distinct o.region) > 1, 'region', null),
            if(count(distinct o.cost_center) > 1, 'cost_center', null),
            if(count(distinct o.tags) > 1, 'tags', null)
        ],
        lambda x: x is not null
    ) as contradictions,
    min(o.loaded_at) as announced_at
from raw."order" as o
inner join touched using (check_key)
group by o.check_key
