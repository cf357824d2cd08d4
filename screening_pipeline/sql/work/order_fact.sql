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
            if(min(o.candidate_key) <> max(o.candidate_key), 'candidate_ref', null),
            if(min(o.package) <> max(o.package), 'package', null),
            if(min(o.ordered_at) <> max(o.ordered_at), 'ordered_at', null),
            if(min(o.country) <> max(o.country), 'country', null),
            if(min(o.region) <> max(o.region), 'region', null),
            if(min(o.cost_center) <> max(o.cost_center), 'cost_center', null),
            if(min(o.tags) <> max(o.tags), 'tags', null)
        ],
        lambda x: x is not null
    ) as contradictions,
    min(o.loaded_at) as announced_at
from raw."order" as o
inner join touched using (check_key)
group by o.check_key
