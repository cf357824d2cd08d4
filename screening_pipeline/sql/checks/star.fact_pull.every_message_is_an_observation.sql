-- Every message about a check that was read from an answer or a push stands in staging, once.
with
-- By numbers made of the ids, which are cheaper to group by than texts.
observed as (
    select
        hash(response_id) as id_hash,
        count(*) as observation_count
    from staging.observation
    group by hash(response_id)
),

-- Of answers that tell of several checks, which are few.
told_twice as (
    select hash(response_id) as id_hash
    from staging.observation
    where hash(response_id) in (select id_hash from observed where observation_count > 1)
    group by response_id, message_index
    having count(*) > 1
)

select r.response_id
from staging.response as r
left join observed as o on hash(r.response_id) = o.id_hash
where
    -- Lists of packages are about no check.
    not (r.channel = 'pull' and r.check_id is null)
    and (r.message_count <> coalesce(o.observation_count, 0) or o.id_hash in (select id_hash from told_twice))
