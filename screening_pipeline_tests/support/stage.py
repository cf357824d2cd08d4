"""A stage for tests of meaning: a data folder, a warehouse, accounts, and stories told in it.

A story is a test in two halves: what vendors say, `yield`, and what the warehouse makes of it. All stories
of a module are told first and settled by one load, so a hundred of them cost little more than one:

    told = Stories()
    stage = told.stage()

    @told.story
    def test_a_completed_order_is_done(s: Story) -> Iterator[None]:
        s.order(ordered_at="2026-03-02T08:00Z")
        s.say("hireright", orderStatus="Completed")
        yield
        assert s.check()["lifecycle"] == "completed"
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain.declaration import aliases
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.landing.area import Landing
from screening_pipeline.orders import intake
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse import catalog, ingest, schema, session, store
from screening_pipeline.warehouse import rebuild as warehouse_rebuild
from screening_pipeline.warehouse.batch import set_person_key

Row = dict[str, Any]
Telling = Callable[..., Iterator[None]]

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
PART_KEY = "5ce4e"
PERSON_KEY = b"pseudonym key of a test"
FACTS = (
    "star.fact_check",
    "star.fact_check_event",
    "star.fact_check_phase",
    "star.fact_turnaround",
    "star.fact_check_component",
    "star.fact_required_action",
    "star.fact_dispute",
    "star.fact_subscription",
    "star.fact_subscription_run",
    "star.fact_pull",
    "star.dim_candidate",
    "star.dim_check_type",
    "star.dim_package",
    "ops.reject",
    "ops.unmapped_value",
    "ops.mapping_conflict",
)


def broken_rules(connection: session.Connection) -> list[str]:
    """The rules that do not hold, those that only warn left out."""
    rules = {name: sql for name, sql in catalog.checks().items() if "-- severity: warn" not in sql}
    return [name for name, sql in rules.items() if connection.execute(sql).fetchall()]


def at(text: str) -> datetime:
    """An instant written as ISO 8601 with an offset; a time alone is one of the first Monday."""
    return datetime.fromisoformat(text if "-" in text else f"2026-03-02T{text}+00:00").astimezone(UTC)


def id_key(slug: str, subject: str) -> str | None:
    """The key that holds the id in a vendor's messages; None where they need not tell it."""
    record = vendor(slug).records[subject]
    return aliases(record.id)[0] if record.is_id_required else None


def account(slug: str, name: str = "main", **given: Any) -> Account:
    """An account that is never called."""
    declared = vendor(slug)
    chosen: dict[str, Any] = {"calendar": declared.calendar, "timezone": declared.timezone, **given}
    return Account(
        vendor=slug,
        name=name,
        base_url="https://vendor.example",
        auth=next(iter(declared.auth)),
        secret_names={},
        requests_per_minute=declared.requests_per_minute,
        max_concurrency=declared.max_concurrency,
        **chosen,
    )


ACCOUNTS = (
    *(account(slug) for slug in sorted(all_vendors())),
    account("hireright", "judged", adjudication_expected=True, final_adjudications=("Approved By Security",)),
    account("hireright", "plain", adjudication_expected=False),
    account("hireright", "verified", e_verify_expected=True),
    account("hireright", "unverified", e_verify_expected=False),
    account("hireright", "own-words", status_aliases={"Done": "Completed", "Order Stopped": "Canceled"}),
    account("workable", "named", part_labels=("Driving record",)),
    account("zinc", "own-words", status_aliases={"all-done": "all-clear"}),
)


def is_called_back(slug: str) -> bool:
    """Whether a vendor's pushed messages come to an address that names the check."""
    push = vendor(slug).push
    return push is not None and push.names_check_in_path


def channel_of(slug: str, call: str) -> str:
    """The channel by which the answer to a call comes; `push` is a call of the vendor's own."""
    feed = vendor(slug).feed
    return "push" if call == "push" else "feed" if feed and call == feed.name else "pull"


def call_of(slug: str, channel: str, subject: str) -> str:
    """The call whose answer comes by a channel: the other way round."""
    feed = vendor(slug).feed
    if channel == "feed" and feed:
        return feed.name
    return "push" if channel == "push" else vendor(slug).endpoint_for(subject).name


@dataclass
class Stage:
    """One warehouse and the landing area that feeds it."""

    settings: Settings
    landing: Landing
    clock: ManualClock
    connection: session.Connection
    orders: list[Row] = field(default_factory=list)
    said: int = 0
    manifests: int = 0

    def land(self, *, received_at: datetime, body: Any, **given: Any) -> LandingReceipt:
        """Have an answer arrive; `body` is JSON unless it is bytes. Ids rise with the order of the calls."""
        self.said += 1
        chosen: dict[str, Any] = {
            "response_id": f"{received_at:%Y%m%dT%H%M%S%f}Z-{self.said:016x}-0000",
            "requested_at": received_at - timedelta(seconds=1),
            "run_id": "test",
            "http_status": 200,
            "headers": {"content-type": "application/json"},
            "latency_ms": 20,
            **given,
        }
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.landing.receive(HttpExchange(received_at=received_at, body=content, **chosen))

    def settle(self, now: datetime = MORNING, *, quiet_until: datetime | None = None) -> None:
        """Read the orders, which are announced `now`, and answers that came since the last time.

        `quiet_until`: until when nothing more came.
        """
        set_person_key(self.connection, PERSON_KEY)
        self.announce()
        with session.transaction(self.connection):
            clock = ManualClock(now)  # so that nobody waits between two looks at a file
            intake.take_in(self.connection, self.settings, key=PERSON_KEY, now=now, run_id="test", clock=clock)
            ingest.advance(self.connection, self.landing, part_key=PART_KEY, now=quiet_until)
        schema.drop_work(self.connection)

    def announce(self) -> None:
        """Write the manifest of the orders that no manifest has yet."""
        if not self.orders:
            return
        self.manifests += 1
        lines = "".join(json.dumps(order) + "\n" for order in self.orders)
        (self.settings.paths.orders / f"{self.manifests:06d}.ndjson").write_text(lines, encoding="utf-8")
        self.orders.clear()

    def rebuild(self) -> None:
        """Forget everything derived and compute it anew."""
        warehouse_rebuild.rebuild(self.connection, self.landing, part_key=PART_KEY)

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query, as dicts."""
        result = self.connection.execute(sql)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def facts(self, *, without_arrival: bool = False) -> dict[str, list[str]]:
        """Everything derived, as comparable text; on request without what depends on when it was loaded."""
        return {table: self._texts(table, without_arrival) for table in FACTS}

    def _texts(self, table: str, without_arrival: bool) -> list[str]:
        columns = {row["column_name"] for row in self.rows(f"describe {table}")}
        hidden = columns & {"check_key", "next_pull_at"} if without_arrival else set()
        selection = f"* exclude ({', '.join(sorted(hidden))})" if hidden else "*"
        return [str(row) for row in self.rows(f"select {selection} from {table} order by all")]

    def story(self, name: str) -> Story:
        """A story about a check of its own."""
        return Story(self, name)


class Story:
    """What is said about one check, by one account of one vendor, and what became of it."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.check_id = name
        self.vendor = ""
        self.account = "main"
        self.subject = ""
        self.now = MORNING

    def of(self, slug: str, *, account: str = "main", subject: str | None = None) -> Story:
        """Choose whose check it is."""
        self.vendor, self.account = slug, account
        self.subject = subject or vendor(slug).default_subject
        return self

    def order(self, **given: Any) -> None:
        """Announce the check in a manifest."""
        row = {
            "vendor": self.vendor,
            "account": self.account,
            "subject": self.subject,
            "check_id": self.check_id,
        }
        self.stage.orders.append({**row, **given})

    def say(
        self,
        body: Any = None,
        *,
        when: str | None = None,
        channel: str = "pull",
        http_status: int | None = 200,
        failure: str | None = None,
        **fields: Any,
    ) -> LandingReceipt:
        """Have the vendor say something, ten minutes after the last time unless told when.

        `fields` are those of the body; the id of the check is added.
        """
        self.now = at(when) if when else self.now + timedelta(minutes=10)
        asked = {"subject": self.subject, "check_id": self.check_id}
        return self.stage.land(
            received_at=self.now,
            vendor=self.vendor,
            account=self.account,
            endpoint="push" if channel == "push" else vendor(self.vendor).endpoint_for(self.subject).name,
            channel=channel,
            http_status=http_status,
            failure=failure,
            body=self.body(**fields) if body is None else body,
            **(asked if channel == "pull" or is_called_back(self.vendor) else {}),
        )

    def push(self, body: Any = None, *, when: str | None = None, **fields: Any) -> LandingReceipt:
        """The same as a pushed message, in the wrapping the vendor uses."""
        told = self.body(**fields) if body is None else body
        if self.vendor == "goodhire" and not isinstance(told, bytes):
            told = {"Id": "00000000-0000-4000-8000-000000000000", "ReportStatus": told}
        return self.say(told, when=when, channel="push")

    def feed(self, *messages: Mapping[str, Any], when: str | None = None) -> LandingReceipt:
        """One answer of the feed with these messages; ids are added where they are missing."""
        self.now = at(when) if when else self.now + timedelta(minutes=10)
        feed = vendor(self.vendor).feed
        assert feed is not None, f"{self.vendor} has no feed"
        key = id_key(self.vendor, feed.reports[0])
        told = [{key: self.check_id, **message} for message in messages]
        return self.stage.land(
            received_at=self.now,
            vendor=self.vendor,
            account=self.account,
            endpoint=feed.name,
            channel="feed",
            body=told,
        )

    def body(self, **fields: Any) -> Row:
        """A message about this check."""
        key = id_key(self.vendor, self.subject)
        return {key: self.check_id, **fields} if key else fields

    # -- asking -------------------------------------------------------------------------------------------

    def _mine(self, table: str, order_by: str = "all") -> list[Row]:
        where = " and ".join(
            f"{name} = {quote(getattr(self, name))}" for name in ("vendor", "account", "subject", "check_id")
        )
        return self.stage.rows(f"select * from {table} where {where} order by {order_by}")

    def check(self) -> Row:
        """The row of star.fact_check."""
        (row,) = self._mine("star.fact_check")
        return row

    def events(self) -> list[Row]:
        """The rows of star.fact_check_event, first to last."""
        return self._mine("star.fact_check_event", "event_seq")

    def lifecycles(self) -> list[str]:
        """The lifecycle of each event."""
        return [event["lifecycle"] for event in self.events()]

    def components(self) -> list[Row]:
        """The rows of star.fact_check_component, by name."""
        return self._mine("star.fact_check_component", "component_name")

    def phases(self) -> list[Row]:
        """The rows of star.fact_check_phase, by party."""
        return self.stage.rows(
            f"from star.fact_check_phase where check_key = {self.check()['check_key']} order by phase"
        )

    def actions(self) -> list[Row]:
        """The rows of star.fact_required_action."""
        return self._mine("star.fact_required_action", "action_type, action_seq")

    def disputes(self) -> list[Row]:
        """The rows of star.fact_dispute."""
        return self._mine("star.fact_dispute", "dispute_seq")

    def subscription(self) -> Row:
        """The row of star.fact_subscription."""
        (row,) = self._mine("star.fact_subscription")
        return row

    def runs(self) -> list[Row]:
        """The rows of star.fact_subscription_run, by time."""
        return self._mine("star.fact_subscription_run", "run_at")

    def pulls(self) -> list[str]:
        """The outcome of each call about the check, in the order of the calls."""
        return [row["outcome"] for row in self._mine("star.fact_pull", "response_id")]

    def conflicts(self) -> set[str]:
        """The contradictions ever seen."""
        return {row["conflict"] for row in self._mine("ops.mapping_conflict")}

    def unmapped(self) -> set[tuple[str, str]]:
        """Field and value of each word ever told that is in no mapping."""
        return {(row["field"], row["value"]) for row in self._mine("ops.unmapped_value")}

    def rejects(self) -> list[str]:
        """The reasons why answers about this check were refused."""
        where = f"vendor = '{self.vendor}' and check_id = {quote(self.check_id)}"
        return [row["reason"] for row in self.stage.rows(f"from ops.reject where {where} order by reject_id")]


@dataclass(frozen=True)
class Reading:
    """One message and the columns of star.fact_check that it must lead to."""

    fields: Mapping[str, Any]
    expected: Mapping[str, Any]
    unmapped: frozenset[tuple[str, str]] = frozenset()

    def but(self, **expected: Any) -> Reading:
        """The same with other or more columns expected."""
        return replace(self, expected={**self.expected, **expected})

    def lists(self, **unmapped: str) -> Reading:
        """The same with words that must be listed as unmapped: field = value."""
        return replace(self, unmapped=frozenset(unmapped.items()))

    def telling(self, slug: str, whose: Mapping[str, str]) -> Telling:
        """The story of this message."""

        def tell(s: Story) -> Iterator[None]:
            s.of(slug, **whose).say(**self.fields)
            yield
            check = s.check()
            wrong = {name: check[name] for name, value in self.expected.items() if check[name] != value}
            assert not wrong, f"read as {wrong}"
            assert (check["next_pull_at"] is None) is check["is_terminal"]
            assert s.unmapped() == self.unmapped, f"listed as unmapped: {s.unmapped()}"
            assert bool(s.conflicts()) is check["has_conflict"], f"listed as conflicts: {s.conflicts()}"

        return tell


class Saying:
    """The left half of a row of a table of readings."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def means(  # a row of the table is read across
        self,
        lifecycle: str,
        result: str,
        adjudication: str,
        dispute: str,
        next_actor: str,
        is_terminal: bool,
    ) -> Reading:
        """The right half: the five axes and whether the check is done. No contradiction, unless told."""
        return Reading(
            self.fields,
            {
                "lifecycle": lifecycle,
                "result": result,
                "adjudication": adjudication,
                "dispute": dispute,
                "next_actor": next_actor,
                "is_terminal": is_terminal,
                "has_conflict": False,
            },
        )


OPEN, DONE = False, True


class Stories:
    """The stories of a test module: all are told, one load settles them, then each is asked."""

    def __init__(self) -> None:
        self._tellings: dict[str, Telling] = {}

    def story(self, telling: Telling) -> Callable[..., None]:
        """Make a test of a generator function with one `yield`: before it things are said, after it asked."""
        name = telling.__name__
        self._tellings[name] = telling

        def test(stage: Told) -> None:
            stage.ask(name)

        return wraps_as_test(telling, test)

    def readings(self, slug: str, table: Mapping[str, Reading], **whose: str) -> Callable[..., None]:
        """A test for each row of a table: what is said in one message, and how it must be read.

        `whose` names the account and the subject, where they are not the usual ones.
        """
        number = len(self._tellings)
        for name, reading in table.items():
            self._tellings[f"{number}-{name}"] = reading.telling(slug, whose)

        @pytest.mark.parametrize("case", table)
        def test(stage: Told, case: str) -> None:
            stage.ask(f"{number}-{case}")

        return test

    def begin(self, stage: Stage) -> dict[str, Iterator[None]]:
        """Have all that the stories say arrive; their second halves by name."""
        return {name: _begin(stage, name, telling) for name, telling in self._tellings.items()}

    def stage(self) -> Any:
        """The fixture that the stories need, for the name `stage` of the module."""

        @pytest.fixture(scope="module", name="stage")
        def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
            with opened(tmp_path_factory) as stage:
                begun = self.begin(stage)
                stage.settle()
                yield Told(begun)

        return told


@dataclass
class Told:
    """Stories that were told, waiting to be asked."""

    begun: dict[str, Iterator[None]]

    def ask(self, name: str) -> None:
        """Run the second half of a story."""
        assert next(self.begun.pop(name), "done") == "done", "a story has one yield"


def wraps_as_test(telling: Telling, test: Callable[..., None]) -> Callable[..., None]:
    """`test` under the name and place of `telling`, with its own parameters."""
    named = wraps(telling)(test)
    del named.__wrapped__
    return named


def _begin(stage: Stage, name: str, telling: Telling) -> Iterator[None]:
    story = telling(stage.story(name.removeprefix("test_").replace("_", "-")))
    next(story)
    return story


# ── the stage itself ───────────────────────────────────────────────────────────────────────────────


@contextmanager
def opened(factory: pytest.TempPathFactory, accounts: tuple[Account, ...] = ACCOUNTS) -> Iterator[Stage]:
    """A stage in a new folder. The first of a test run makes an empty warehouse, the others copy it."""
    paths = _folder(factory)
    if accounts == ACCOUNTS:
        shutil.copyfile(_template(factory), paths.warehouse)
    with _stage(paths, accounts) as stage:
        yield stage


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage in that folder, outside of a test run too."""
    paths = Paths.under(folder, {})
    paths.create()
    with _stage(paths, ACCOUNTS) as stage:
        yield stage


@contextmanager
def _stage(paths: Paths, accounts: tuple[Account, ...]) -> Iterator[Stage]:
    clock = ManualClock(MORNING)
    landing = Landing(paths.landing, vendors=all_vendors(), spool_key=b"spool key of a test", clock=clock)
    settings = Settings(accounts=accounts, paths=paths)
    with store.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=clock) as connection:
        ingest.prepare(connection, settings, landing, part_key=PART_KEY)
        yield Stage(settings, landing, clock, connection)


def _folder(factory: pytest.TempPathFactory) -> Paths:
    paths = Paths.under(factory.mktemp("stage"), {})
    paths.create()
    return paths


def _template(factory: pytest.TempPathFactory) -> Path:
    template = factory.getbasetemp() / "empty.duckdb"
    if not template.exists():
        with _stage(_folder(factory), ACCOUNTS) as stage:
            made = stage.settings.paths.warehouse
        shutil.copyfile(made, template)
    return template
