"""What Dagster is told of the tables: what has changed, at most every twenty minutes, and each verdict once.

Every event is kept in two of Dagster's files for days. A table that changes every minute is told of as seldom as its
rules can be tried, and together with them: a verdict is about a table as it was told of last, and reads "not evaluated"
as soon as the table is told of again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from screening_pipeline.orchestration.keys import is_called, made, table_name, version_tags
from screening_pipeline.orchestration.rules import all_rules, verdict
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.warehouse.session import Connection

TOLD_EVERY = timedelta(minutes=20)
# Trying every rule takes at most a twentieth of the time.
REST = 20
_NOTE = "tables_told"
Verdict = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What Dagster was told last: when, how many seconds that took, and what it does not know yet.

    `waiting`: the tables that have changed since, as `schema.name`; `broken`: of each rule that does not hold, by
    `schema.table.rule`, the number of offending rows that it knows of.
    """

    at: datetime | None = None
    seconds: float = 0.0
    waiting: frozenset[str] = frozenset()
    broken: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def noted(cls, pull_queue: PullQueue) -> "Told":
        """As noted in the shared state; where that was lost, whatever changes is told of at once."""
        noted = json.loads(pull_queue.note(_NOTE) or "{}")
        if not noted:
            return cls()
        at = datetime.fromisoformat(noted["at"]) if noted["at"] else None
        return cls(at=at, seconds=noted["seconds"], waiting=frozenset(noted["waiting"]), broken=noted["broken"])

    def note(self, pull_queue: PullQueue) -> None:
        """Note it in the shared state."""
        at = self.at.isoformat() if self.at else None
        facts = {"at": at, "seconds": self.seconds, "waiting": sorted(self.waiting), "broken": dict(self.broken)}
        pull_queue.remember(_NOTE, json.dumps(facts))

    def is_due(self, now: datetime) -> bool:
        """Whether enough time has gone by to tell of tables again; also where the clock was put back."""
        return self.at is None or abs(now - self.at) >= max(TOLD_EVERY, timedelta(seconds=REST * self.seconds))


class Telling:
    """What one run tells: `tables`, as `schema.name`, with all of their rules, and of other rules what has changed."""

    def __init__(self, runtime: Runtime, before: Told, *, tables: frozenset[str], waiting: frozenset[str]) -> None:
        self.tables = tables
        self._runtime = runtime
        self._before = before
        self._waiting = waiting
        self._started = runtime.clock.monotonic()

    def tried(self, connection: Connection, *, is_published: bool) -> list[Verdict]:
        """The verdicts of the rules of every run, and of all rules of the tables that are told of.

        `is_published`: those that can be tried on the snapshot, or the others.
        """
        rules = [rule for rule in all_rules() if rule.is_published is is_published]
        return [verdict(connection, rule) for rule in rules if rule.is_every_run or rule.shown_at in self.tables]

    def news(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Those of these verdicts that Dagster does not know: of tables told of now, and what is not as it was."""
        known = self._before.broken
        return [v for v in verdicts if table_of(v) in self.tables or rows_of(v) != known.get(name_of(v), 0)]

    def done(self, verdicts: Sequence[Verdict]) -> None:
        """Note what Dagster knows by now."""
        clock, before = self._runtime.clock, self._before
        broken = {**before.broken, **{name_of(v): rows_of(v) for v in verdicts}}
        broken = {name: count for name, count in broken.items() if count}
        at, seconds = before.at, before.seconds
        if self.tables:
            at, seconds = clock.now(), clock.monotonic() - self._started
        after = Told(at=at, seconds=seconds, waiting=self._waiting - self.tables, broken=broken)
        if after != before:
            after.note(self._runtime.pull_queue)


def telling_of(
    runtime: Runtime, selected: AbstractSet[str], changed: AbstractSet[str], *, is_published: bool
) -> Telling:
    """What to tell of the `selected` tables and, where it is time, of those that `changed` now or before.

    Nothing where what has changed is not published yet.
    """
    before = Told.noted(runtime.pull_queue)
    waiting = before.waiting | changed
    tables = waiting | selected if before.is_due(runtime.clock.now()) else frozenset(selected)
    return Telling(runtime, before, tables=tables if is_published else frozenset(), waiting=waiting)


def tell(
    context: dg.AssetExecutionContext, spec: dg.AssetSpec, metadata: Mapping[str, Any]
) -> Iterator[dg.MaterializeResult[None]]:
    """Materialize an asset of the step: as its result where it was selected, else as an event of the run.

    An event that nobody has planned is one instead of three.
    """
    if is_called(context) or spec.key in context.selected_asset_keys:
        yield made(context, spec.key, metadata)
    else:
        context.log_event(dg.AssetMaterialization(spec.key, metadata=metadata, tags=version_tags(spec)))


def table_of(verdict: Verdict) -> str:
    """`schema.table` of a verdict."""
    return table_name(verdict["asset_key"])


def name_of(verdict: Verdict) -> str:
    """`schema.table.rule` of a verdict."""
    return f"{table_of(verdict)}.{verdict['check_name']}"


def rows_of(verdict: Verdict) -> int:
    """The number of offending rows of a verdict."""
    return int(verdict["metadata"]["offending_rows"])
