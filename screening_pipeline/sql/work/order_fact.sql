-- One row per check being recomputed: what its orders say, the first value told of each, files before the vendor.
--
-- @refresh work
select
    o.check_key,
    arg_min(o.candidate_key, o.place) as candidate_key,
    arg_min(o.package, o.place) as package,
    -- Of the vendor's times the first: an invitation's comes before that of its report.
    coalesce(
        arg_min(o.ordered_at, o.place) filter (where o.is_of_file), min(o.ordered_at)
    ) as ordered_at,
    -- Starts are put off and brought forward: the day told last counts.
    arg_max(o.needed_by, o.order_seq) as needed_by,
    arg_min(o.country, o.place) as country,
    arg_min(o.region, o.place) as region,
    arg_min(o.cost_center, o.place) as cost_center,
    arg_min(o.tags, o.place) as tags,
    list_filter(
        [
            if(
                min(o.candidate_key) filter (where o.is_of_file) <> max(o.candidate_key) filter (where o.is_of_file),
                'candidate_ref', null
            ),
            if(
                min(o.package) filter (where o.is_of_file) <> max(o.package) filter (where o.is_of_file),
                'package', null
            ),
            if(
                min(o.ordered_at) filter (where o.is_of_file) <> max(o.ordered_at) filter (where o.is_of_file),
                'ordered_at', null
            ),
            if(min(o.country) <> max(o.country), 'country', null),
            if(min(o.region) <> max(o.region), 'region', null),
            if(min(o.cost_center) <> max(o.cost_center), 'cost_center', null),
            if(min(o.tags) <> max(o.tags), 'tags', null)
        ],
        lambda x: x is not null
    ) as contradictions,
    min(o.loaded_at) as announced_at
from (
    select
        r.* replace (t.check_key as check_key),
        r.file_sha256 is not null as is_of_file,
        -- What an order file says is the customer's own word.
        row_number() over (order by r.file_sha256 is null asc nulls last, r.order_seq asc nulls last) as place
    from raw."order" as r
    left join staging.continuation as k on r.check_key = k.continues_key
    inner join touched as t on coalesce(k.check_key, r.check_key) = t.check_key
) as o
group by o.check_key
