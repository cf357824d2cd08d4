-- One row per part of a check: a section, a product, or a check inside a request.
--
-- check_key                  the check
-- vendor                     vendor
-- account                    account
-- subject                    what kind of thing the vendor checks
-- check_id                   the vendor's id, as text
-- component_id               which part, within the check; people's names only as a keyed hash
-- component_name             what the part is called, people's names removed
-- is_label_hidden            whether its label may hold a person, and only a keyed hash of it is kept
-- component_type             the vendor's type of it, where it has one
-- component_subtype          what kind of an education it is, where the vendor tells
-- check_type_key             star.dim_check_type
-- vendor_status              verbatim status or result of the part
-- vendor_adjudication        verbatim adjudication of the part
-- vendor_reason              why the part was canceled, the vendor's word
-- vendor_turnaround_seconds  seconds that the vendor says the part took
-- lifecycle                  where the part stands
-- result                     clear, consider, none or unknown
-- adjudication               the client's decision on the part
-- first_observed_at          when it was first shown
-- completed_at               the first observation that shows it completed
-- seen_before_at             the last look that showed it not complete before that, null where there was none
-- completed_day              running number of the business day of completed_at
-- seen_before_day            the same of seen_before_at
-- last_observed_at           when it was last shown; a part that vanishes is kept
-- @refresh check_key
with
named as (
    select
        p.*,
        r.* exclude (check_key, component_id),
        row_number() over (
            partition by p.check_key, r.component_type
            order by p.first_place asc nulls last, p.first_position asc nulls last, p.component_id asc nulls last
        ) as ordinal
    from shown_part as p
    inner join told_part as r on p.last_number = r.part_number
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
    coalesce(n.is_hidden, false) as is_label_hidden,
    n.component_type,
    n.component_subtype,
    staging.key_of(c.vendor, c.subject, coalesce(n.component_type, n.component_name, 'check')) as check_type_key,
    n.word as vendor_status,
    n.adjudication as vendor_adjudication,
    n.reason as vendor_reason,
    n.turnaround_seconds as vendor_turnaround_seconds,
    n.part_lifecycle as lifecycle,
    n.part_result as result,
    n.part_adjudication as adjudication,
    n.first_observed_at,
    n.completed_at,
    d.seen_before_at,
    d.completed_day,
    d.seen_before_day,
    n.last_observed_at
from named as n
inner join concerned as c on n.check_key = c.check_key
left join part_day as d on n.check_key = d.check_key and n.component_id = d.component_id
