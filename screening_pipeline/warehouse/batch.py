"""Batches: tables created empty, filled from landed messages, recomputed for the checks a batch touches.

One way serves the increment and the rebuild: the rows of every check that a batch touches are recomputed from
all messages about it. So the order in which responses arrive, and how often, makes no difference.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection


_BLOCK_BYTES = 64
LATELY = 500_000
"""Checks that came last, among which nearly all are found that are told of and not open."""


def name_notations(connection: Connection) -> None:
    """Have `staging.written` know the notations of dates of all accounts: DuckDB reads none from a column."""
    found = connection.execute(
        "select distinct date_format from staging.account where date_format is not null order by all"
    ).fetchall()
    known = " ".join(f"when {quote(form)} then try_strptime(told, {quote(form)})" for (form,) in found)
    told = f"case notation {known} end" if known else "null::timestamp"
    connection.execute(f"create or replace macro staging.written(notation, told) as ({told})")


def empty_batch(connection: Connection) -> None:
    """Create the empty temporary tables of a batch; several loads may then add to it."""
    connection.execute(catalog.statement("begin_batch"))


def set_key(connection: Connection, part_key: str) -> None:
    """Set the session variable `part_key` (hex): the key of the hashes for people's names and the suppression list."""
    connection.execute(f"set variable part_key = {quote(part_key)}")


def set_person_key(connection: Connection, key: bytes) -> None:
    """Set the session variables by which people that vendors tell of get the pseudonyms of order files."""
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    for name, pad in (("person_inner", 0x36), ("person_outer", 0x5C)):  # as HMAC is made of two hashes
        connection.execute(f"set variable {name} = {quote(bytes(byte ^ pad for byte in padded).hex())}")


def _require_person_key(connection: Connection) -> None:
    """Raise RuntimeError where a vendor tells of people and the session has no key: nobody would be known again."""
    if connection.execute("select 1 from landed where candidate_ref is not null limit 1").fetchone() and (
        connection.execute("select getvariable('person_inner')").fetchone() == (None,)
    ):
        raise RuntimeError("the session has no person key; people whom a vendor tells of would be nobody")


def read(connection: Connection) -> None:
    """Read the texts of `landed` as what they are, into `landed_message`; `landed` itself is done with."""
    _require_person_key(connection)
    _refresh_work(connection, "typed_message")
    connection.execute("drop table temp.landed")
    _refresh_work(connection, "landed_message")
    connection.execute("drop table temp.typed_message")


def load(connection: Connection) -> bool:
    """Append what `landed_message` holds to staging, number checks never seen, and note whom it touches.

    Whether an account's checks have told words that change what is expected of all of them: then those that are read
    anew are touched as well.
    """
    _number_checks(connection)
    if _is_found(connection, catalog.statement("is_any_in_capitals")):
        connection.execute(catalog.statement("adopt_spellings"))
    connection.execute("create temp table if not exists new_order as from raw.order limit 0")
    if _is_any(connection, "batch_check"):
        connection.execute(catalog.statement("take_told_orders"))
        connection.execute(catalog.statement("take_continuations"))
    connection.execute("create or replace temp table known_state as select state_key from staging.state")
    _refresh_work(connection, "new_state")
    connection.execute(catalog.statement("note_touched"))
    is_inferred = False
    if _is_any(connection, "new_state"):
        is_inferred = _infer(connection)
        _interpret(connection)
    for relation in catalog.refreshed("load"):
        _append_all(connection, relation)
    connection.execute(catalog.statement("list_rejects"))
    return is_inferred


def expect(connection: Connection) -> None:
    """Have each account expect what it declares, or what its checks have told."""
    connection.execute(catalog.statement("expect_words"))


def _infer(connection: Connection) -> bool:
    """Note which words accounts have told for the first time, and read anew what they told before; whether any."""
    connection.execute(catalog.statement("find_expected_words"))
    is_any = _is_any(connection, "new_word")
    if is_any:
        expect(connection)
        connection.execute(catalog.statement("read_states_anew"))
    connection.execute("drop table temp.new_word")
    return is_any


def _interpret(connection: Connection) -> None:
    """Append the sets of words in `new_state`, and what they mean."""
    for relation in catalog.relations().values():
        match relation.refresh, relation.key:
            case "work", "state":
                _refresh_work(connection, relation.name)
            case "state", _:
                _append_all(connection, relation)


def _append_all(connection: Connection, relation: Relation) -> None:
    connection.execute(f"insert into {relation.qualified} by name {relation.sql}")


def _refresh_work(connection: Connection, name: str) -> None:
    connection.execute(f"create or replace temp table {name} as {catalog.relations()[name].sql}")


def _number_checks(connection: Connection) -> None:
    connection.execute(catalog.statement("find_checks"))
    last = connection.execute("select coalesce(max(check_key), 0) from raw.check").fetchone() or (0,)
    for after in (last[0] - LATELY, 0):
        if not _is_any(connection, "batch_new"):
            return
        connection.execute(catalog.statement("find_checks_among", after=after))
    if _is_any(connection, "batch_new"):
        connection.execute(catalog.statement("number_checks"))


def unite_spellings(connection: Connection) -> None:
    """Make one check of those that an earlier version told apart by the case of a UUID alone."""
    if _is_found(connection, catalog.statement("is_any_not_united")):
        connection.execute(catalog.statement("unite_spellings"))


def _is_found(connection: Connection, query: str) -> bool:
    return connection.execute(query).fetchone() is not None


def _is_any(connection: Connection, table: str) -> bool:
    return _is_found(connection, f"from {table} limit 1")


def register_orders(connection: Connection) -> None:
    """Append the rows of `new_order` to `raw.order`, and number their checks, in the order of files and lines."""
    connection.execute(catalog.statement("register_orders"))


def refresh(connection: Connection) -> set[str]:
    """Recompute every derived row of the checks in `touched`, and the calls of the batch (`recounted`).

    Returns the tables of which rows were written or removed.
    """
    is_packaged = _is_any(connection, "new_order") or _is_any(connection, "batch_package")
    is_touched = _is_any(connection, "touched") or _is_any(connection, "recounted")
    if not (is_packaged or is_touched):
        return set()
    written = recompute(connection, is_packaged=is_packaged)
    return written | _recount(connection, "inner join touched using (check_key)")


def recompute(connection: Connection, *, is_packaged: bool) -> set[str]:
    """Recompute the derived rows of the checks in `touched`; packages only if the batch holds some.

    Returns the tables of which rows were written or removed.
    """
    written: dict[str, int] = {}
    for relation in catalog.relations().values():
        match relation.refresh:
            case "work" if not relation.key:
                _refresh_work(connection, relation.name)
            case "check_key" if relation.only is None or _is_found(connection, relation.only):
                written[relation.qualified] = _replace(connection, relation, "select check_key from touched")
            case "append":
                written[relation.qualified] = _append(connection, relation)
            case "full" if is_packaged:
                written[relation.qualified] = _refill(connection, relation)
    return {name for name, rows in written.items() if rows}


def _recount(connection: Connection, narrowed: str) -> set[str]:
    """Judge the calls in `recounted` anew: they changed something where an event names them.

    `narrowed`: which events to look at, what follows `from star.fact_check_event`.
    """
    connection.execute(
        f"create or replace temp table changed_by as select distinct response_id from star.fact_check_event {narrowed}"
    )
    written: dict[str, int] = {}
    for relation in catalog.refreshed("response"):
        written[relation.qualified] = _replace(connection, relation, "select response_id from recounted where is_known")
    return {name for name, rows in written.items() if rows}


def _replace(connection: Connection, relation: Relation, keys: str) -> int:
    """Put the rows as they are now in the place of those with these keys (a query for one column)."""
    key = keys.split()[1]
    gone = _rows(connection, f"delete from {relation.qualified} where {key} in ({keys})")
    return gone + _rows(connection, f"insert into {relation.qualified} by name {relation.sql}")


def _refill(connection: Connection, relation: Relation) -> int:
    gone = _rows(connection, f"delete from {relation.qualified}")
    return gone + _rows(connection, f"insert into {relation.qualified} by name {relation.sql}")


def _append(connection: Connection, relation: Relation) -> int:
    return _rows(
        connection,
        f"insert into {relation.qualified} by name select * from ({relation.sql}) as n "
        f"where not exists (select 1 from {relation.qualified} as o where n.{relation.key} = o.{relation.key})",
    )


def _rows(connection: Connection, change: str) -> int:
    """Make a change; how many rows it wrote or removed."""
    counted = connection.execute(change).fetchone()
    return int(counted[0]) if counted else 0


def touch_batch(connection: Connection) -> None:
    """Fill `touched` and `recounted` from the batch that was loaded, and what quiet has made the state since."""
    connection.execute(catalog.statement("touch_batch"))


def touched_count(connection: Connection) -> int:
    """How many checks are to be recomputed."""
    found = connection.execute("select count(*) from touched").fetchone()
    return int(found[0]) if found else 0


def note_unpublished(connection: Connection) -> None:
    """Record the checks of the batch as changed since the last published snapshot."""
    connection.execute(catalog.statement("note_unpublished"))


def last_check(connection: Connection) -> int:
    """The highest check number; 0 where there is no check."""
    found = connection.execute("select max(check_key) from raw.check").fetchone()
    return int(found[0] or 0) if found else 0


def touch_numbered(connection: Connection, after: int, last: int) -> None:
    """Fill `touched` with the checks numbered (after, last], and `new_order` with all their orders."""
    connection.execute(catalog.statement("touch_numbered", after=after, last=last))


def empty_calls(connection: Connection) -> None:
    """Empty the derived tables of calls (`star.fact_pull`), before they are computed anew."""
    for relation in catalog.refreshed("response"):
        connection.execute(f"delete from {relation.qualified}")


def stretches(connection: Connection, calls: int) -> list[tuple[str, str]]:
    """All time split into intervals of about `calls` calls each: (since, until], as SQL timestamps."""
    ends = connection.execute(catalog.statement("call_stretches", calls=calls)).fetchall()
    bounds = ["-infinity", *dict.fromkeys(end for (end,) in ends), "infinity"]
    return list(pairwise(bounds))


def recount_between(connection: Connection, since: str, until: str) -> None:
    """Compute the judgement of the calls of one interval of `stretches`; none may be there yet."""
    after, last = quote(since), quote(until)
    connection.execute(catalog.statement("recount_between", since=after, until=last))
    _recount(connection, f"where observed_at > {after} and observed_at <= {last}")
