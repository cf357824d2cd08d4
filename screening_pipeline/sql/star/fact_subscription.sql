-- One row per subscription to ongoing alerts: how it stands.
--
-- check_key        the subscription
-- vendor           vendor
-- account          account
-- subject          always subscription
-- check_id         the subscription's id
-- is_active        whether it runs, as far as the vendor ever told
-- vendor_status    verbatim status of its last run
-- result           clear, consider, none or unknown
-- started_on       the local date it started
-- started_at       the instant it started, as first told
-- report_check_id  the report it belongs to; kept when the vendor stops telling
-- last_observed_at when it was last shown
-- @refresh check_key
-- @only from concerned where star.is_ongoing(subject) limit 1
select
    c.check_key,
    c.vendor,
    c.account,
    c.subject,
    c.check_id,
    max_by(case e.lifecycle when 'in_progress' then true when 'canceled' then false end, e.place) as is_active,
    max_by(s.vendor_status, e.place) as vendor_status,
    max_by(r.result, e.place) as result,
    star.local_time(any_value(a.timezone), min_by(o.started_at, e.place))::date as started_on,
    min_by(o.started_at, e.place) as started_at,
    max_by(o.report_check_id, e.place) as report_check_id,
    max(e.observed_at) as last_observed_at
from applied as e
inner join staging.state as s on e.state_key = s.state_key
inner join staging.reading as r on e.state_key = r.state_key
inner join concerned as c on e.check_key = c.check_key
inner join touched_message as o on e.message_number = o.message_number
left join staging.account as a on c.vendor = a.vendor and c.account = a.account
where star.is_ongoing(c.subject)
group by c.check_key, c.vendor, c.account, c.subject, c.check_id
