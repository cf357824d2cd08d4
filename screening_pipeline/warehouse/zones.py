"""Local time as arithmetic on microseconds, so that no setting of whoever reads a snapshot has a say in it.

What DuckDB computes with zones follows the calendar and the zone of the session, which for an analyst are those of
the locale. So the changes of each zone of an account are asked for once, in a session of ours, and stand in the macros
as nested comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

_SINCE, _UNTIL = "2009-12-01 00:00:00+00", "2041-02-01 00:00:00+00"
"""For as long as there are business days. Before and after it the database is asked, whatever the session is."""
_LAST = int(datetime.fromisoformat(_UNTIL).timestamp()) * 1_000_000
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
    # In a lambda what is given is computed once, not for each comparison.
    to_local = f"list_transform([epoch_us(moment)], lambda u: make_timestamp(u + {_offset(by_instant)}))[1]"
    to_instant = f"list_transform([epoch_us(local)], lambda u: make_timestamptz(u - {_offset(by_local)}))[1]"
    return (
        "create or replace macro star.local_time(zone, moment) as (case "
        "when typeof(moment) <> 'TIMESTAMP WITH TIME ZONE' then error('local_time takes an instant') "
        f"else coalesce({to_local}, timezone(zone, moment)) end);"
        "create or replace macro star.instant_of(zone, local) as (case "
        "when typeof(local) = 'TIMESTAMP WITH TIME ZONE' then error('instant_of takes a local time') "
        f"else coalesce({to_instant}, timezone(zone, local)) end);"
    )


def _offset(changes: Mapping[str, Sequence[Change]]) -> str:
    """The offset in a zone at `u`, null before and after what is known of it."""
    day = 86_400_000_000
    arms = (
        f"when zone = {quote(zone)} and u >= {known[0][0] + day} and u < {_LAST - day} then {_tree(known)}"
        for zone, known in changes.items()
    )
    return f"(case {' '.join(arms)} end)"


def _tree(changes: Sequence[Change]) -> str:
    """The offset by halves: as many comparisons as the number of changes has binary digits."""
    if len(changes) == 1:
        return f"{changes[0][1]}::bigint"
    middle = len(changes) // 2
    return f"case when u < {changes[middle][0]} then {_tree(changes[:middle])} else {_tree(changes[middle:])} end"


_KNOWN: dict[str, Sequence[Change]] = {}
"""By zone, once for each process: they are the database's own, and do not change while it runs."""


def _changes_of(connection: Connection, zone: str) -> Sequence[Change]:
    if zone not in _KNOWN:
        given = {"zone": quote(zone), "since": quote(_SINCE), "until": quote(_UNTIL)}
        _KNOWN[zone] = connection.execute(catalog.statement("zone_changes", **given)).fetchall()
    return _KNOWN[zone]
