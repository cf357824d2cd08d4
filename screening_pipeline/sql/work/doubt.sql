-- One row per check being recomputed of which a message says otherwise, and nothing has told yet who is right.
--
-- @refresh work
-- A message that was not applied and says something else than what is known: one pull settles it.
select
    q.check_key,
    min(q.received_at) as first_observed_at,
    max(q.received_at) as last_observed_at,
    bool_or(q.last_said is distinct from q.present) as is_last_word
from (
    select
        *,
        max(place) filter (where channel = 'pull') over (partition by check_key) as last_pull_place,
        arg_max(fingerprint, place) filter (where is_applied) over (partition by check_key) as present,
        arg_max(fingerprint, place) filter (where is_applied or true_at is null) over (partition by check_key)
            as last_said
    from sequence
) as q
where
    -- A dated message needs no confirming: its date says what it is worth.
    not q.is_applied and q.true_at is null
    and q.place > coalesce(q.last_pull_place, 0) and q.fingerprint is distinct from q.present
group by q.check_key
