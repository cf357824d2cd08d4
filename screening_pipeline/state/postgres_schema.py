"""The tables and functions of the shared state in PostgreSQL: the schema `screening_state`, and its version.

A slot is taken and given by one function each, for an account one after the other, by the server's clock alone. None
waits for a disk: what a crash of the server loses of it is a second, and after a start (of this server, or of another
in its place) nobody is granted anything for one window.
"""

from __future__ import annotations

VERSION = 1
NEEDS_SERVER = 13

SCHEMA = f"""
create schema screening_state;
set local search_path to screening_state;
create table version as select {VERSION}::integer as version;
create table server as
    select pg_postmaster_start_time() as started_at, '2000-01-01'::timestamptz as seen_at;
create table slot (
    id bigint generated always as identity primary key, account text not null,
    free_at timestamptz not null, is_held boolean not null
);
create index slot_by_account on slot (account, free_at);
create table account (
    vendor text not null, account text not null, silent_until timestamptz,
    stopped_code text, stopped_at double precision, last_error text, last_error_at double precision,
    no_polling_at double precision, answered_at double precision, succeeded_at double precision,
    primary key (vendor, account)
);
create table not_found (
    vendor text not null, account text not null, subject text not null, check_id text not null,
    times integer not null, last_at double precision not null,
    primary key (vendor, account, subject, check_id)
);
create table agenda (
    check_key bigint primary key, vendor text not null, account text not null, subject text not null,
    check_id text not null, next_pull_at double precision not null, reason text not null, is_requested integer not null
);
create index agenda_by_time on agenda (vendor, account, next_pull_at);
create table note (name text primary key, value text not null);
create table run_step (
    id bigint generated always as identity primary key, run_id text not null, step text not null,
    noted_at double precision not null, facts text not null, unique (run_id, step)
);

create function seconds(given interval) returns double precision immutable language sql
return extract(epoch from given)::double precision;

create function in_seconds(given double precision) returns timestamptz volatile language sql
return clock_timestamp() + make_interval(secs => given);

-- Alone with the account until the transaction ends, without waiting for a disk then.
create function alone_with(the_account text) returns void language plpgsql as $body$
begin
    perform set_config('synchronous_commit', 'off', true);
    perform pg_advisory_xact_lock(hashtextextended('screening slots of ' || the_account, 0));
end $body$;

-- How long nobody is granted anything yet: what a server that has not been seen before has lost nobody knows.
create function rest(window_seconds double precision) returns double precision language plpgsql as $body$
declare
    since timestamptz;
begin
    select seen_at into since from screening_state.server where started_at = pg_postmaster_start_time();
    if not found then
        update screening_state.server set started_at = pg_postmaster_start_time(), seen_at = clock_timestamp()
        where started_at <> pg_postmaster_start_time();
        return window_seconds;
    end if;
    return greatest(0, window_seconds - least(window_seconds, screening_state.seconds(clock_timestamp() - since)));
end $body$;

create function take_slot(
    the_account text, slots integer, longest double precision, window_seconds double precision,
    out slot_id bigint, out wait double precision
) language plpgsql as $body$
declare
    taken integer;
begin
    perform screening_state.alone_with(the_account);
    wait := screening_state.rest(window_seconds);
    if wait > 0 then
        return;
    end if;
    delete from screening_state.slot where account = the_account and free_at <= clock_timestamp();
    select count(*) into taken from screening_state.slot where account = the_account;
    if taken < slots then
        insert into screening_state.slot (account, free_at, is_held)
        values (the_account, screening_state.in_seconds(longest), true) returning id into slot_id;
        return;
    end if;
    -- One that is still held comes back a window from now at best.
    select screening_state.seconds(free_at - clock_timestamp()) into wait from screening_state.slot
    where account = the_account and not is_held order by free_at offset taken - slots limit 1;
    wait := greatest(coalesce(wait, window_seconds), 0.001);
end $body$;

create function give_slot(the_slot bigint, window_seconds double precision) returns void language plpgsql as $body$
begin
    perform set_config('synchronous_commit', 'off', true);
    update screening_state.slot set free_at = screening_state.in_seconds(window_seconds), is_held = false
    where id = the_slot;
end $body$;

create function drop_slot(the_slot bigint) returns void language plpgsql as $body$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from screening_state.slot where id = the_slot;
end $body$;

create function fill_slots(the_account text, slots integer, for_seconds double precision) returns void
language plpgsql as $body$
begin
    perform screening_state.alone_with(the_account);
    delete from screening_state.slot where account = the_account and free_at <= clock_timestamp();
    insert into screening_state.slot (account, free_at, is_held)
    select the_account, screening_state.in_seconds(for_seconds), false
    from generate_series(1, slots - (select count(*) from screening_state.slot where account = the_account));
end $body$;
"""
