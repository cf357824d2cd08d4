-- One row per person or check that was erased: what is said about them later is not taken in.
--
-- pseudonym  keyed hash of the candidate or of the check
-- @refresh base
create table staging.erased (
    pseudonym varchar
)
