-- Every message about a check that was read from an answer or a push stands in staging, once.
with
observed as (
    select
        response_id,
        count(*) as observation_count,
        count(distinct message_index) as place_count
    from staging.observation
    group by response_id
)

select r.response_id
from staging.response as r
left join observed as o on r.response_id = o.response_id
where
    -- Lists of packages are about no check.
    not (r.channel = 'pull' and r.check_id is null)
    and (r.message_count <> coalesce(o.observation_count, 0) or o.observation_count <> o.place_count)
