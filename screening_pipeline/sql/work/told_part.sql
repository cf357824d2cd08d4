-- One row per part of a check being recomputed each time a message shows it, with what its words mean.
--
-- @refresh work
-- Numbered once: both who count and who look a part up must mean the same one.
with
shown as (
    select
        o.check_key,
        q.place,
        q.received_at as observed_at,
        generate_subscripts(o.components, 1) as position,
        unnest(o.components, recursive := true)
    from touched_message as o
    inner join sequence as q on o.message_number = q.message_number
    where q.is_applied and len(o.components) > 0
),

-- Only the words matter from here: a part is told the same way many times.
worded as (
    select
        h.*,
        row_number() over () as part_number,
        c.vendor,
        c.subject,
        t.adjudication_default,
        t.result_from,
        t.detail_role,
        coalesce(list_contains(a.final_adjudications, h.adjudication), false) as is_declared_final,
        coalesce(h.result, h.status) as word,
        nullif(nullif(h.adjudication, 'Not Available'), '') as adjudication_word
    from shown as h
    inner join concerned as c on h.check_key = c.check_key
    inner join staging.trait as t on c.vendor = t.vendor and c.subject = t.subject
    left join staging.account as a on c.vendor = a.vendor and c.account = a.account
)

select
    t.*,
    case
        -- GoodHire names only the sections with alerts; not being named is not being clear.
        when t.word is null and t.result_from = 'status' then 'completed'
        -- The Workable contract shows parts as results only.
        when t.result_from = 'result' and t.detail_role = 'none' then 'completed'
        else coalesce(s.lifecycle, 'unknown')
    end as part_lifecycle,
    case
        when t.word is null and t.result_from = 'status' then 'consider'
        when s.value is null then 'unknown'
        when t.result_from = 'adjudication' and s.lifecycle = 'completed' then coalesce(j.result, 'unknown')
        else coalesce(s.result, 'unknown')
    end as part_result,
    case
        when t.result_from <> 'adjudication' then t.adjudication_default
        when t.adjudication_word is null then 'not_expected'
        when t.is_declared_final then 'custom'
        else coalesce(j.adjudication, 'pending')
    end as part_adjudication
from worded as t
left join star.dim_vendor_status as s
    on
        t.vendor = s.vendor and t.subject = s.subject and s.field = 'component_status' and t.word = s.value
        and t.observed_at >= s.valid_from and t.observed_at < s.valid_to
left join star.dim_vendor_status as j
    on
        t.vendor = j.vendor and t.subject = j.subject
        and j.field = 'component_adjudication' and t.adjudication_word = j.value
        and t.observed_at >= j.valid_from and t.observed_at < j.valid_to
