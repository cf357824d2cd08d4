"""Local time as arithmetic on microseconds, so that no setting of whoever reads a snapshot has a say in it.

What DuckDB computes with zones follows the calendar and the zone of the session, which for an analyst are those of
the locale. So the changes of each zone of an account are asked for once, in a session of ours, and stand in the macros
as lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

_SINCE, _UNTIL = "2009-12-01 00:00:00+00", "2041-02-01 00:00:00+00"
"""For as long as there are business days. Before and after it the database is asked, whatever the session is."""
_LAST = int(datetime.fromisoformat(_UNTIL).timestamp()) * 1_000_000
_DAY = 86_400_000_000
Change = tuple[int, int]
"""Since when (microseconds since 1970, UTC), and the offset from then on in microseconds."""


def macros(connection: Connection, zones: Sequence[str]) -> str:
    """The macros of local time for sessions of ours: a branch for each zone, since one from a column costs far more.

    Raises ConfigurationError for a zone that the database does not know.
    """
    known = {name for (name,) in connection.execute("select name from pg_timezone_names()").fetchall()}
    if unknown := [zone for zone in zones if zone not in known]:
        problem = f"{unknown[0][:40]!a} is no time zone that the database knows; name another"
        raise ConfigurationError([problem], source="accounts.timezone")
    return "".join(
        f"create or replace macro star.{name}(zone, {given}) as (case "
        f"when {is_wrong} then error('{name} takes {wanted}') {_named(zones, given)} "
        f"else timezone(zone, {given}) end);"
        for name, given, is_wrong, wanted in (
            ("local_time", "moment", "typeof(moment) <> 'TIMESTAMP WITH TIME ZONE'", "an instant"),
            ("instant_of", "local", "typeof(local) = 'TIMESTAMP WITH TIME ZONE'", "a local time"),
        )
    )


def _named(zones: Iterable[str], given: str) -> str:
    return " ".join(f"when zone = {quote(zone)} then timezone({quote(zone)}, {given})" for zone in zones)


def shared_macros(connection: Connection, zones: Sequence[str]) -> str:
    """The same macros for sessions of others: arithmetic that no calendar and no zone of theirs can bend."""
    by_instant = {zone: _changes_of(connection, zone) for zone in zones}
    # Of an hour that comes twice the later one is meant.
    by_local = {zone: [(since + offset, offset) for since, offset in by_instant[zone]] for zone in zones}
    to_local = _known(by_instant, "epoch_us(moment)", "make_timestamp", "+")
    to_instant = _known(by_local, "epoch_us(local)", "make_timestamptz", "-")
    return (
        "create or replace macro star.local_time(zone, moment) as (case "
        "when typeof(moment) <> 'TIMESTAMP WITH TIME ZONE' then error('local_time takes an instant') "
        f"else coalesce({to_local}, timezone(zone, moment)) end);"
        "create or replace macro star.instant_of(zone, local) as (case "
        "when typeof(local) = 'TIMESTAMP WITH TIME ZONE' then error('instant_of takes a local time') "
        f"else coalesce({to_instant}, timezone(zone, local)) end);"
    )


def _known(changes: Mapping[str, Sequence[Change]], moment: str, made: str, sign: str) -> str:
    """The other time of `moment` (microseconds), null before and after what is known of the zones.

    All time is cut into pieces so short that none has two changes: which one a moment is in is a division, and what
    holds in it stands in a list. That costs a tenth of nested comparisons, and more so where those are in a lambda.
    """
    if not changes:
        return "null"
    first, last = max(known[0][0] for known in changes.values()) + _DAY, _LAST - _DAY
    apart = (after - since for known in changes.values() for (since, _), (after, _) in pairwise(known))
    length = min(apart, default=last - first)
    pieces = range(first, last + length, length)
    ends = [_change_in(known, since, since + length) for known in changes.values() for since in pieces]
    offsets = [_offset_at(known, since) for known in changes.values() for since in (*pieces, pieces[-1] + length)]
    place = f"(list_position({_list(changes, 'varchar')}, zone) - 1)"
    piece = f"({moment} - {first}) // {length}"
    is_before = f"{moment} < {_list(ends, 'bigint')}[{place} * {len(pieces)} + {piece} + 1]"
    offset = f"{_list(offsets, 'bigint')}[{place} * {len(pieces) + 1} + {piece} + if({is_before}, 1, 2)]"
    return f"case when {moment} >= {first} and {moment} < {last} then {made}({moment} {sign} {offset}) end"


def _change_in(known: Sequence[Change], since: int, until: int) -> int:
    """When a piece's change is; its end where it has none."""
    return next((at for at, _ in known if since < at < until), until)


def _offset_at(known: Sequence[Change], moment: int) -> int:
    return next((offset for at, offset in reversed(known) if at <= moment), known[0][1])


def _list(values: Iterable[object], kind: str) -> str:
    """A list as one literal: to read it as so many takes longer than most queries."""
    return f"(({quote('[' + ', '.join(map(str, values)) + ']')})::{kind}[])"


_KNOWN: dict[str, Sequence[Change]] = {}
"""By zone, once for each process: they are the database's own, and do not change while it runs."""


def _changes_of(connection: Connection, zone: str) -> Sequence[Change]:
    if zone not in _KNOWN:
        given = {"zone": quote(zone), "since": quote(_SINCE), "until": quote(_UNTIL)}
        _KNOWN[zone] = connection.execute(catalog.statement("zone_changes", **given)).fetchall()
    return _KNOWN[zone]
