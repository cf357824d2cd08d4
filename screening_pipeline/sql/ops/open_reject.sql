-- One row per reject that is still open: a row of an order file, an answer or a message that nobody has settled.
--
-- reject_id      which
-- source         response, push, message (one of several in an answer) or manifest
-- vendor         vendor, where it is known
-- account        account, where it is known
-- check_id       id asked for, where it is known
-- response_id    the response; its body stays in raw.response
-- message_index  the message within it, from 1
-- file           manifest file
-- line           line in it
-- reason         code of what is wrong
-- detail         for a person; never a value of a payload
-- rejected_at    since when
-- @refresh view
select r.* exclude (row_key)
from ops.reject as r
anti join ops.reject_settlement as s on r.reject_id = s.reject_id
-- What was said of the check since then could be read.
anti join star.fact_check as f
    on
        r.vendor = f.vendor and r.account = f.account and r.check_id = f.check_id
        and r.rejected_at < f.last_observed_at
