-- One row per check being recomputed: what its messages tell beside its state, the last of each that was told.
--
-- @refresh work
select
    o.check_key,
    max_by(o.report_url, q.place) filter (where o.report_url <> '') as report_url,
    bool_or(o.has_attachment) as has_attachment,
    max_by(o.flex_fields, q.place) filter (where o.flex_fields is not null) as flex_fields,
    max_by(o.vendor_assessment, q.place) filter (where o.vendor_assessment <> '') as vendor_assessment,
    max_by(o.vendor_estimated_on, q.place) filter (where o.vendor_estimated_on is not null) as vendor_estimated_on,
    max_by(o.vendor_turnaround_seconds, q.place) filter (where o.vendor_turnaround_seconds is not null)
        as vendor_turnaround_seconds
from touched_message as o
inner join sequence as q on o.message_number = q.message_number
where
    q.is_applied and (
        o.report_url <> '' or o.has_attachment or o.flex_fields is not null or o.vendor_assessment <> ''
        or o.vendor_estimated_on is not null or o.vendor_turnaround_seconds is not null
    )
group by o.check_key
