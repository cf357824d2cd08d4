-- One row per call of a destructive feed of which something may have been lost.
--
-- gap_id        the call
-- vendor        vendor
-- account       account
-- requested_at  when it was made
-- reason        what is known of it
-- salvaged      messages of it that arrived all the same
-- noted_at      when the gap was noticed
-- settled_at    when every open check had been asked for by its id instead, null until then
-- @refresh base
create table ops.feed_gap (
    gap_id varchar,
    vendor varchar,
    account varchar,
    requested_at timestamptz,
    reason varchar,
    salvaged integer,
    noted_at timestamptz,
    settled_at timestamptz
)
