-- One row per check being recomputed of which a message says otherwise, and nothing has told yet who is right.
--
-- @refresh work
-- A message that was not applied and says something else than what is known: one pull settles it.
with
message as (
    select
        *,
        max(place) filter (where channel = 'pull') over (partition by check_key) as last_pull_place,
        arg_max(fingerprint, place) filter (where is_applied) over (partition by check_key) as present,
        arg_max(fingerprint, place) filter (where is_applied or true_at is null) over (partition by check_key)
            as last_said
    from sequence
),

doubtful as (
    select
        check_key,
        min(received_at) as first_observed_at,
        max(received_at) as last_observed_at,
        bool_or(last_said is distinct from present) as is_last_word
    from message
    where
        -- A dated message needs no confirming: its date says what it is worth.
        not is_applied and true_at is null
        and place > coalesce(last_pull_place, 0) and fingerprint is distinct from present
    group by check_key
)

select
    d.*,
    coalesce(a.is_polled, true) as is_polled
from doubtful as d
inner join concerned as c on d.check_key = c.check_key
left join staging.account as a on c.vendor = a.vendor and c.account = a.account
-- Where the vendor is not asked, its next message may settle it.
where d.is_last_word or coalesce(a.is_polled, true)
