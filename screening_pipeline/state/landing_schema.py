"""The tables of a landing area that several machines share: the schema `screening_landing`, and its version.

A line is in the inbox or in exactly one piece, and a piece is in the manifest or nobody reads it. The schema is apart
from that of the shared state, which may be dropped: this one may not, since it says which pieces count.
"""

from __future__ import annotations

VERSION = 2

_ERASED = """
create table screening_landing.erased (
    sha256 text collate "C" primary key, number bigint generated always as identity, line bytea not null
);
"""
UPGRADES = {1: f"{_ERASED} update screening_landing.version set version = 2;"}
"""What makes the next version of one."""

SCHEMA = f"""
create schema screening_landing;
set local search_path to screening_landing;
create table version as select {VERSION}::integer as version;
create table inbox (
    response_id text collate "C" primary key, file text collate "C" not null, line bytea not null
);
create table recalled (response_id text collate "C" primary key, landed_at timestamptz not null default now());
create index recalled_by_age on recalled (landed_at);
create table spool (response_id text collate "C" primary key, sealed bytea not null);
create table piece (
    file text collate "C" primary key, folder text collate "C" not null, day text collate "C" not null,
    bytes bigint not null, sha256 text not null
);
create index piece_by_day on piece (folder, day);
create table day (
    folder text collate "C" not null, day text collate "C" not null, pieces bigint not null, bytes bigint not null,
    primary key (folder, day)
);
create table call (
    id text collate "C" primary key, vendor text not null, account text not null, holder text not null,
    endpoint text not null, run_id text not null, requested_at timestamptz not null, is_given_up boolean not null
);
create table gap (
    id text collate "C" primary key, vendor text not null, account text not null, told bytea not null
);
create table key (name text primary key, digest text not null);
{_ERASED}

-- Lines into the inbox in one round trip; its commit is waited for whatever the server is set to, and where it has a
-- synchronous standby, for that, too.
create function append(the_file text, ids text[], lines bytea[], are_recalled boolean) returns void
language plpgsql as $body$
begin
    perform set_config('synchronous_commit', 'on', true);
    if not are_recalled then
        insert into screening_landing.inbox (response_id, file, line)
        select one.id, the_file, one.line from unnest(ids, lines) as one (id, line);
        return;
    end if;
    with new as (
        insert into screening_landing.recalled (response_id) select unnest(ids)
        on conflict do nothing returning response_id
    )
    insert into screening_landing.inbox (response_id, file, line)
    select new.response_id, the_file, one.line from new inner join unnest(ids, lines) as one (id, line)
        on new.response_id = one.id;
end $body$;
"""
