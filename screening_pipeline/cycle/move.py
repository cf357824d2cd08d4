"""A world moved from one configuration to another: from a data folder to what several machines share, or back.

What was ordered and what was landed is copied, what the warehouse alone knows (when an order was read, numbers of
checks) goes along, and everything else is derived anew and compared. The other place is empty before, or holds an
unfinished move of the same world, which goes on. At the end a marker keeps the old place from being used.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, LockHeld, UsageError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import make_folder, write_new
from screening_pipeline.base.named_locks import ERASURE, pull_lock
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.take_orders import take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.landing.interface import Tail
from screening_pipeline.runtime import plans
from screening_pipeline.settings import moved
from screening_pipeline.warehouse import batch, catalog, rebuild, register_lines, session
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection

OWN = ("staging.landed_file", "staging.order_look", "staging.unpublished_check", "staging.unpublished_call")
"""What tells of the files of one place, or of its snapshot."""
MOVING = "moving_from"
MOVED = "moved_to"


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What was moved: order files, landed lines, checks, and how many tables were compared."""

    orders: int
    lines: int
    checks: int
    tables: int


def move(here: Runtime, there: Runtime, *, to: str) -> Moved:
    """Move the world of `here` to `there`, known to people as `to`.

    Raises UsageError, ConfigurationError where that cannot be; LockHeld where anything is at work at either place;
    EnvironmentFailed where both do not hold the same at the end. It can be repeated until it has succeeded.
    """
    require_movable(here, there)
    with open_warehouse(here):  # an erasure that was begun is finished
        pass
    with ExitStack() as held:
        for one in (here, there):
            _hold(held, one)
        there.pull_queue.remember(MOVING, _world(here))
        take_orders(here, run_id="move")  # what a crash left in the spool is landed
        orders, lines, known = _copy_orders(here, there), _copy_lines(here, there), _all_there_is(here)
        _copy_register(here, there)
        tables = _derive(here, there)
        if _all_there_is(here) != known:
            raise LockHeld("landing area", holder="whoever receives here: stop it, and move again")
        _leave(here, there, to)
    return Moved(orders=orders, lines=lines, checks=tables["star.fact_check"], tables=len(tables))


# ── what must be so ────────────────────────────────────────────────────────────────────────────────


def require_movable(here: Runtime, there: Runtime) -> None:
    """Raise ConfigurationError, UsageError where `there` is not a place for the world of `here`."""
    privacy = there.settings.privacy
    if here.key != there.key:
        problem = "is not the key by which the people here have their pseudonyms: give it the content of pseudonym.key"
        raise ConfigurationError([f"{problem}, or of its variable here"], source=privacy.pseudonym_key_env)
    missing = {one.key for one in here.settings.accounts} - {one.key for one in there.settings.accounts}
    if missing:
        raise ConfigurationError([f"has no account {', '.join(sorted(missing))}"], source="the other configuration")
    if _world(here) == there.pull_queue.note(MOVING):
        return
    if engine_of(there.settings).is_made() or there.landing.marks():
        raise UsageError("the other place is in use: name an empty data folder, databases and buckets", code="usage")


def _world(one: Runtime) -> str:
    return str(one.settings.data_dir.resolve())


def _hold(held: ExitStack, one: Runtime) -> None:
    """Keep everybody from pulling and erasing."""
    for account in one.settings.accounts:
        held.enter_context(one.locks.hold(pull_lock(account.vendor, account.name)))
        if any(one.landing.feed_folder(account.vendor, account.name).glob("*.intent")):
            raise UsageError(f"{account.key}: a call of its feed is not settled: sync first", code="usage")
    held.enter_context(one.locks.hold(ERASURE))


def _all_there_is(one: Runtime) -> dict[str, list[int]]:
    """The marks of the landed files, with what waited to become one."""
    one.landing.files()
    return one.landing.marks()


# ── what was ordered and said ──────────────────────────────────────────────────────────────────────


def _copy_orders(here: Runtime, there: Runtime) -> int:
    from screening_pipeline.landing.objects import FolderObjects, objects_at

    root, url = here.settings.paths.orders, there.settings.orders.url
    objects = objects_at(url, "orders.url") if url else FolderObjects(there.settings.paths.orders, "orders")
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in files:
        name, content = path.relative_to(root).as_posix(), path.read_bytes()
        objects.put_new(name, content)
        if objects.get(name) != content:
            raise UsageError(f"the other place has another order file {name}: empty it", code="usage")
    return len(files)


def _copy_lines(here: Runtime, there: Runtime) -> int:
    """Append to each day what it has not yet, sealed with the other place's key; the number of lines of all."""
    days, known, count = _days(here.landing), _days(there.landing), 0
    for number, (day, files) in enumerate(days.items()):
        here.progress("copying what was landed", number, len(days))
        lines = list(_lines(here.landing, files))
        left = Counter(_lines(there.landing, known.get(day, [])))
        new = []
        for line in lines:
            if left[line]:
                left[line] -= 1
            else:
                new.append(line)
        if left.total():
            raise UsageError("the other place has lines that are not of this world: empty it", code="usage")
        if new:
            there.landing.keep(day, new)
        count += len(lines)
    return count


def _days(landing: Landing) -> dict[str, list[str]]:
    """The files of each day of each account: one, or the pieces that it was made in."""
    found: dict[str, list[str]] = {}
    for file in landing.files():
        vendor, account, day, *_ = file.split("/")
        found.setdefault("/".join((vendor, account, day.removesuffix(".ndjson"))) + ".ndjson", []).append(file)
    return found


def _lines(landing: Landing, files: list[str]) -> Iterator[bytes]:
    """The lines of these files, opened; one that cannot be is as it stands. What was wiped is nothing."""
    for file in files:
        _, size, *_ = landing.mark(file) or [0, 0]
        for line in landing.opened(Tail(file.partition("/")[0], file, 0, size)):
            if line.strip():
                yield line


def _copy_register(here: Runtime, there: Runtime) -> None:
    """Who was erased stays so: whoever opens the other warehouse reads this first."""
    register_lines.bring_together(here.settings.paths, here.landing)  # what other machines have erased, too
    source, target = here.settings.paths.erasure_register, there.settings.paths.erasure_register
    if source.exists():
        with telling(target.name, folder=target.parent):
            write_new(target, source.read_bytes())


# ── the warehouse ──────────────────────────────────────────────────────────────────────────────────


def _derive(here: Runtime, there: Runtime) -> dict[str, int]:
    """Derive everything there from what was copied; the number of rows of each table that was found equal."""
    with _passed_on(there) as folder:
        with open_warehouse(here) as connection:
            settle(here, connection)
            for relation in _kept():
                rows = f"copy (from {relation.qualified}) to {quote(_file(folder, relation))} (format parquet)"
                connection.execute(rows)
            wanted = _told(connection)
        with engine_of(there.settings).writer(clock=there.clock) as connection:
            batch.set_person_key(connection, there.key)
            _take_over(connection, folder)
            rebuild.rebuild(
                connection, there.landing, part_key=there.part_key, settings=there.settings, progress=there.progress
            )
            plans.plan_again(connection, there)
            found = _told(connection)
            _require_equal(wanted, found)
            engine_of(there.settings).publish(connection)
    return {name: count for name, (count, _) in found.items()}


@contextmanager
def _passed_on(there: Runtime) -> Iterator[Path]:
    folder = there.settings.data_dir / ".moving"
    with telling("the data folder", folder=there.settings.data_dir):
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kept() -> list[Relation]:
    return [relation for relation in catalog.refreshed("base") if relation.qualified not in OWN]


def _file(folder: Path, relation: Relation) -> str:
    return str(folder / f"{relation.schema}.{relation.name}.parquet")


def _take_over(connection: Connection, folder: Path) -> None:
    with session.transaction(connection):
        for relation in _kept():
            connection.execute(f"delete from {relation.qualified}")
            source = f"from read_parquet({quote(_file(folder, relation))})"
            connection.execute(f"insert into {relation.qualified} by name {source}")


def _told(connection: Connection) -> dict[str, tuple[int, str]]:
    """Of each table of the star, and of what it is made of: how many rows, and a sum of all they say but the plan."""
    found = {}
    for relation in catalog.relations().values():
        is_told = relation.schema == "star" or relation.qualified in ("raw.check", "raw.order")
        if is_told and relation.refresh not in ("view", "macro"):
            columns = ", ".join(f'"{name}"' for name in relation.columns if name != "next_pull_at")
            query = f"select count(*), sum(hash(({columns})::varchar)::hugeint)::varchar from {relation.qualified}"
            ((count, told),) = connection.execute(query).fetchall()
            found[relation.qualified] = (count, str(told))
    return found


def _require_equal(wanted: dict[str, tuple[int, str]], found: dict[str, tuple[int, str]]) -> None:
    different = [name for name, told in wanted.items() if found[name] != told]
    if different:
        told = f"the other place does not hold the same in {', '.join(different)}: nothing was given up here"
        raise EnvironmentFailed(f"{told}; rebuild here, and move again", code="not_equal")


def _leave(here: Runtime, there: Runtime, to: str) -> None:
    """The last step: from here on nothing is to be done here."""
    there.pull_queue.forget([MOVING, MOVED])
    if here.settings.state.url_env:
        here.pull_queue.remember(MOVED, to)
    moved.mark(here.settings.paths, to, here.clock.now().isoformat(timespec="seconds"))
