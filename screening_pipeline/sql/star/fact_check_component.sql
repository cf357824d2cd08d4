-- One row per part of a check: a section, a product, or a check inside a request.
--
-- check_key            the check
-- vendor               vendor
-- account              account
-- subject              what kind of thing the vendor checks
-- check_id             the vendor's id, as text
-- component_id         which part, within the check; people's names only as a keyed hash
-- component_name       what the part is called, people's names removed
-- component_type       the vendor's type of it, where it has one
-- check_type_key       star.dim_check_type
-- vendor_status        verbatim status or result of the part
-- vendor_adjudication  verbatim adjudication of the part
-- lifecycle            where the part stands
-- result               clear, consider, none or unknown
-- adjudication         the client's decision on the part
-- first_observed_at    when it was first shown
-- completed_at         the first observation that shows it completed
-- last_observed_at     when it was last shown; a part that vanishes is kept
-- @refresh check_key
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

-- Only the words matter from here: a part is told the same way many times. Numbered once: both who count and who look
-- a part up must mean the same one.
told as materialized (
    select
        h.*,
        row_number() over () as part_number,
        c.vendor,
        c.subject,
        t.adjudication_default,
        t.result_from,
        t.detail_role,
        coalesce(list_contains(a.final_adjudications, h.adjudication), false) as is_declared_final,
        coalesce(h.status, h.result) as word,
        nullif(nullif(h.adjudication, 'Not Available'), '') as adjudication_word
    from shown as h
    inner join concerned as c on h.check_key = c.check_key
    inner join staging.trait as t on c.vendor = t.vendor and c.subject = t.subject
    left join staging.account as a on c.vendor = a.vendor and c.account = a.account
),

read as (
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
    from told as t
    left join star.dim_vendor_status as s
        on
            t.vendor = s.vendor and t.subject = s.subject and s.field = 'component_status' and t.word = s.value
            and t.observed_at >= s.valid_from and t.observed_at < s.valid_to
    left join star.dim_vendor_status as j
        on
            t.vendor = j.vendor and t.subject = j.subject
            and j.field = 'component_adjudication' and t.adjudication_word = j.value
            and t.observed_at >= j.valid_from and t.observed_at < j.valid_to
),

part as (
    select
        check_key,
        component_id,
        -- All from one message: the last that shows the part.
        max_by(part_number, place) as last_number,
        min(observed_at) as first_observed_at,
        min(observed_at) filter (where part_lifecycle = 'completed') as completed_at,
        max(observed_at) as last_observed_at,
        min(place) as first_place,
        min_by(position, place) as first_position
    from read
    group by check_key, component_id
),

named as (
    select
        p.*,
        r.* exclude (check_key, component_id),
        row_number() over (
            partition by p.check_key, r.component_type order by p.first_place, p.first_position, p.component_id
        ) as ordinal
    from part as p
    inner join read as r on p.last_number = r.part_number
)

select
    n.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    n.component_id,
    coalesce(
        n.component_name,
        concat(coalesce(n.component_type, 'check'), if(n.ordinal > 1, concat(' ', n.ordinal), ''))
    ) as component_name,
    n.component_type,
    staging.key_of(c.vendor, c.subject, coalesce(n.component_type, n.component_name, 'check')) as check_type_key,
    n.word as vendor_status,
    n.adjudication as vendor_adjudication,
    n.part_lifecycle as lifecycle,
    n.part_result as result,
    n.part_adjudication as adjudication,
    n.first_observed_at,
    n.completed_at,
    n.last_observed_at
from named as n
inner join concerned as c on n.check_key = c.check_key
