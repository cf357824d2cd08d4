-- One row per vendor and subject: how the fields of its messages hang together, from the vendor's declaration.
--
-- vendor                   vendor
-- subject                  subject
-- detail_role              none, refines, overrides, concludes or limits
-- result_from              status, detail, result or adjudication
-- continues                the subject of what leads to one, and is one check with it
-- is_result_awaited        completed without a result is not yet completed
-- time_means               whether the vendor's time dates the state or the completion
-- has_personal_part_names  parts are labelled with people's names
-- has_adjudication         whether it tells the client's decision
-- adjudication_default     the adjudication where no word says one
-- part_vocabulary          words that count as results of free-form parts; null where parts are not free in form
-- generic_labels           words that labels of free-form parts may be made of and be nobody's
-- boundaries               days on which the meaning of words changes, the first day of all included
-- @refresh base
create table staging.trait (
    vendor varchar,
    subject varchar,
    detail_role varchar,
    result_from varchar,
    continues varchar,
    is_result_awaited boolean,
    time_means varchar,
    has_personal_part_names boolean,
    has_adjudication boolean,
    adjudication_default varchar,
    part_vocabulary varchar[],
    generic_labels varchar[],
    boundaries date[]
)
