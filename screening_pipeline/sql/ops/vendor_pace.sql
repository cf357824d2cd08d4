-- One row per vendor and state: how many checks left it lately, and how many would have as before.
--
-- vendor    vendor
-- state     lifecycle
-- made_at   the instant it was counted
-- since_at  from when on it is counted; what was before tells what is usual
-- n_left    stays that ended since
-- expected  stays that would have ended since, had it been as before
-- @refresh base
create table ops.vendor_pace (
    vendor varchar,
    state varchar,
    made_at timestamptz,
    since_at timestamptz,
    n_left double,
    expected double
)
