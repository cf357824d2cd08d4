"""Removes a person, or a check, everywhere: landed lines, warehouse, snapshot, Parquet, report, shared state.

What is to be done is sealed into one file before anything is changed, every step may be repeated, and the
file goes last: whoever opens the warehouse next finishes what a crash left. The live warehouse is not changed
but replaced by a new one, computed from what is left, since deleted rows stay in a file as bytes.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline import catalog, durable, forgotten, ingest, intake, warehouse
from screening_pipeline.errors import EnvironmentFailed, UsageError
from screening_pipeline.pseudonym import pseudonym
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.envelope import Told
    from screening_pipeline.paths import Paths
    from screening_pipeline.runtime import Runtime
    from screening_pipeline.warehouse import Connection

Check = tuple[str, str, str, str]
"""Vendor, account, subject and the vendor's id."""
_CONTEXT = "erasure.sealed"
_RUN_ID = "erase"


@dataclass(frozen=True)
class Erasure:
    """One row of `ops.erasure`, without its instants. `pseudonym` is a keyed hash of what was erased."""

    erasure_id: str
    kind: str
    pseudonym: str
    check_count: int
    response_count: int
    order_count: int


@dataclass(frozen=True)
class _Intent:
    erasure: Erasure
    requested_at: str
    checks: list[Check]
    hashes: list[str]


def erase_candidate(runtime: Runtime, candidate_ref: str) -> Erasure | None:
    """Erase everything about a person; None where they were erased before and nothing has come since.

    Who is known from refused rows of manifests only is kept out from now on. Raises UsageError where nothing is known
    of them.
    """
    key = pseudonym(runtime.key, candidate_ref.strip())  # as manifests are read
    of_person = f"select vendor, account, subject, check_id from raw.order where candidate_key = {warehouse.quote(key)}"
    itself = f"select {forgotten.CANDIDATE} from (select {warehouse.quote(key)} as candidate_key)"

    def is_refused(connection: Connection) -> bool:
        return intake.is_refused(connection, runtime.settings, key, key=runtime.key)

    return _erase(runtime, "candidate", of_person, itself, itself, is_refused=is_refused)


def erase_check(runtime: Runtime, vendor: str, check_id: str, account: str | None = None) -> Erasure | None:
    """Erase everything about whatever has this id; None where it was erased before and nothing has come since.

    `account` may be one that is not configured any more. Raises UsageError for an unknown vendor, account or check.
    """
    if account is None:
        try:
            account = runtime.settings.account(vendor).name
        except KeyError:
            problem = f"no one account of {vendor[:40]!a} is configured; name one with --account"
            raise UsageError(problem, code="no_account") from None
    elif vendor not in all_vendors():
        raise UsageError(f"there is no vendor {vendor[:40]!a}; known are {', '.join(all_vendors())}", code="no_vendor")
    names = {"vendor": vendor, "account": account, "check_id": check_id}
    given = ", ".join(f"{warehouse.quote(value)} as {name}" for name, value in names.items())
    known = (
        "select vendor, account, subject, check_id from raw.check "
        f"semi join (select {given}) using (vendor, account, check_id)"
    )
    subjects = ", ".join(map(warehouse.quote, all_vendors()[vendor].subjects))
    itself = f"select {forgotten.ID} from (select {given})"
    before = f"{itself} union select {forgotten.CHECK} from (select {given}, unnest([{subjects}]) as subject)"
    return _erase(runtime, "check", known, itself, before)


def _erase(
    runtime: Runtime,
    kind: str,
    known: str,
    itself: str,
    before: str,
    *,
    is_refused: Callable[[Connection], bool] = lambda _: False,
) -> Erasure | None:
    """Erase what `known` finds. `itself` finds the hash of what was named, `before` all that tell of its erasure."""
    from screening_pipeline import cycle

    with _alone(runtime):
        if is_pending(runtime):
            _finish(runtime)
        cycle.take_orders(runtime, run_id=_RUN_ID)  # what has arrived by now is part of what is known
        with runtime.warehouse() as connection:
            cycle.prepare(connection, runtime)
            own_hash = _values(connection, itself)[0]
            _find(connection, known)
            if not _values(connection, "select 1 from gone"):
                if _values(connection, f"select pseudonym from staging.erased where pseudonym in ({before})"):
                    return None
                if not is_refused(connection):
                    raise UsageError(f"nothing is known of this {kind}; nothing was erased", code="nothing_known")
            intent = _intended(runtime, connection, kind, own_hash)
            _write(runtime, intent)
            # Whoever waits for the warehouse takes in the next orders: by then they must know who is kept out.
            with ingest.transaction(connection):
                _record(connection, intent, completed_at=None)
        _finish(runtime)
    return intent.erasure


_FIND = """
create or replace temp table gone as
with recursive same as (
    -- A subscription and the report it watches are about one person.
    select vendor, account, subject, check_id, 'report' as other_subject, report_check_id as other_id
    from star.fact_subscription
    union
    select vendor, account, 'report', report_check_id, subject, check_id
    from star.fact_subscription
    union
    -- An order may have named the wrong subject. An id that an order names for somebody is theirs: orders and I-9 forms
    -- are numbered apart.
    select a.vendor, a.account, a.subject, a.check_id, b.subject, b.check_id
    from raw.check as a
    inner join raw.check as b on a.vendor = b.vendor and a.account = b.account and a.check_id = b.check_id
    anti join (from raw.order where candidate_key is not null) as o on b.check_key = o.check_key
),

of_person as (
    {known}
    union
    select s.vendor, s.account, s.other_subject, s.other_id
    from of_person as p
    inner join same as s using (vendor, account, subject, check_id)
    where s.other_id is not null
)

select
    p.*,
    c.check_key
from of_person as p
left join raw.check as c using (vendor, account, subject, check_id)
"""
_RESPONSES = """
select count(*) from (
    select response_id from staging.response where check_key in (select check_key from gone)
    union
    select response_id from staging.observation where check_key in (select check_key from gone)
)
"""


def _find(connection: Connection, known: str) -> None:
    connection.execute(_FIND.format(known=known))


def _intended(runtime: Runtime, connection: Connection, kind: str, own_hash: str) -> _Intent:
    (orders,) = _values(connection, "select count(*) from raw.order where check_key in (select check_key from gone)")
    (responses,) = _values(connection, _RESPONSES)
    checks = connection.execute("select distinct vendor, account, subject, check_id from gone order by all").fetchall()
    now = runtime.clock.now()
    erasure = Erasure(
        erasure_id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        kind=kind,
        pseudonym=own_hash,
        check_count=len(checks),
        response_count=responses,
        order_count=orders,
    )
    hashes = {own_hash, *_values(connection, f"select {forgotten.CHECK} from gone")}
    return _Intent(erasure, now.isoformat(), checks, sorted(hashes))


def _values(connection: Connection, query: str) -> list[Any]:
    return [row[0] for row in connection.execute(query).fetchall()]


# ── the intent ─────────────────────────────────────────────────────────────────────────────────────────


def is_pending(runtime: Runtime) -> bool:
    """Whether an erasure was begun and is not finished."""
    return runtime.settings.paths.erasure_intent.exists()


def _alone(runtime: Runtime) -> AbstractContextManager[None]:
    """One erasure at a time: there is one file for what is to be done. Raises LockHeld."""
    paths, wait = runtime.settings.paths, runtime.lock_wait_seconds
    return warehouse.lock(paths.erasure_lock, clock=runtime.clock, wait_seconds=wait)


def _sealer(runtime: Runtime) -> durable.Sealer:
    return durable.Sealer(runtime.landing.key_for("erasure"), "erasure")


def _write(runtime: Runtime, intent: _Intent) -> None:
    with durable.telling(_CONTEXT):
        sealed = _sealer(runtime).seal(json.dumps(asdict(intent)).encode(), _CONTEXT)
        durable.write_new(runtime.settings.paths.erasure_intent, sealed)


def _read(runtime: Runtime) -> _Intent:
    try:
        sealed = runtime.settings.paths.erasure_intent.read_bytes()
        values = json.loads(_sealer(runtime).unseal(sealed, _CONTEXT))
    except EnvironmentFailed:
        raise EnvironmentFailed(
            f"an erasure that was begun cannot be finished: {_CONTEXT} is damaged, or was written with another "
            f"{runtime.settings.paths.spool_key.name}; put that key back, or delete {_CONTEXT} and erase again",
            code="wrong_key",
        ) from None
    checks = [check for given in values["checks"] for check in _with_subjects(*given)]
    return _Intent(Erasure(**values["erasure"]), values["requested_at"], checks, values["hashes"])


def _with_subjects(vendor: str, account: str, *rest: str) -> list[Check]:
    """A check as it was written down; an earlier version, which was stopped, meant whatever has the id."""
    *subjects, check_id = rest
    return [(vendor, account, subject, check_id) for subject in subjects or all_vendors()[vendor].subjects]


# ── doing it: every step may be repeated ───────────────────────────────────────────────────────────────


def finish(runtime: Runtime) -> None:
    """Do what somebody began and did not finish. Raises EnvironmentFailed; the next command tries again."""
    with _alone(runtime):
        if is_pending(runtime):  # else whoever held the lock has done it
            _finish(runtime)


def _finish(runtime: Runtime) -> None:
    """Do what the intent says, from the beginning."""
    intent, paths = _read(runtime), runtime.settings.paths
    with warehouse.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=runtime.clock) as connection:
        ingest.prepare(connection, runtime.settings, runtime.landing, part_key=runtime.part_key)
        with ingest.transaction(connection):
            _record(connection, intent, completed_at=None)
    _erase_landed(runtime, intent.checks)
    _renew(runtime, intent)
    with warehouse.deriving(paths) as snapshot:  # what others made of the old snapshot stands in its place by now
        _renew_parquet(paths, snapshot)
        for page in _pages(paths):
            page.unlink(missing_ok=True)
    runtime.state.erase_not_found(intent.checks)  # the plan was made anew without them
    with durable.telling("the data folder"):
        paths.erasure_intent.unlink(missing_ok=True)
        durable.sync_folder(paths.data_dir)


def _record(connection: Connection, intent: _Intent, *, completed_at: str | None) -> None:
    """Note the erasure, and the hashes by which what comes later is kept out."""
    row = {**asdict(intent.erasure), "requested_at": intent.requested_at, "completed_at": completed_at}
    connection.execute(f"delete from ops.erasure where erasure_id = {warehouse.quote(intent.erasure.erasure_id)}")
    warehouse.insert(connection, "ops.erasure", [row])
    known = set(_values(connection, "select pseudonym from staging.erased"))
    warehouse.insert(connection, "staging.erased", [{"pseudonym": one} for one in intent.hashes if one not in known])


def _erase_landed(runtime: Runtime, checks: Iterable[Check]) -> None:
    runtime.landing.recover()
    gone: dict[tuple[str, str], set[Told]] = defaultdict(set)
    for vendor, account, subject, check_id in checks:
        gone[vendor, account].add((subject, check_id))
    for (vendor, account), theirs in gone.items():
        runtime.landing.erase(vendor, account, theirs)


def _renew(runtime: Runtime, intent: _Intent) -> None:
    """Put a warehouse in the place of the old one, and a snapshot in that of the published one."""
    from screening_pipeline import cycle

    paths = runtime.settings.paths
    with warehouse.renewed(paths.warehouse, lock_path=paths.warehouse_lock, clock=runtime.clock) as connection:
        _copy_what_stays(connection, intent.checks)
        ingest.rebuild(connection, runtime.landing, part_key=runtime.part_key)
        _record(connection, intent, completed_at=runtime.clock.now().isoformat())
        cycle.plan_again(connection, runtime)
        warehouse.publish(connection, paths.published)


def _renew_parquet(paths: Paths, snapshot: Connection) -> None:
    """Put new Parquet files in the place of those there are; no set before them stays, not even for its readers."""
    if any(paths.parquet.parent.glob(f"{paths.parquet.name}*")):
        warehouse.export_parquet(snapshot, paths.parquet, is_last_kept=False)


def _pages(paths: Paths) -> list[Path]:
    """What may name them and is made anew when it is needed, or was set aside: also what a crash left half written."""
    return [
        paths.report,
        *paths.data_dir.glob(f".{paths.report.name}.*"),
        *paths.data_dir.glob(f"{paths.state.name}.broken"),
    ]


def _copy_what_stays(connection: Connection, checks: Iterable[Check]) -> None:
    connection.execute(
        "create or replace temp table gone "
        "(vendor varchar, account varchar, subject varchar, check_id varchar, check_key bigint)"
    )
    names = ("vendor", "account", "subject", "check_id")
    warehouse.insert(connection, "gone", [dict(zip(names, check, strict=True)) for check in checks])
    connection.execute(
        "update gone set check_key = c.check_key from old.raw.check as c where gone.vendor = c.vendor "
        "and gone.account = c.account and gone.subject = c.subject and gone.check_id = c.check_id"
    )
    for relation in catalog.refreshed("base"):
        connection.execute(
            f"insert into {relation.qualified} by name "
            f"from old.{relation.qualified} as r anti join gone on {_is_gone(relation)}"
        )


def _is_gone(relation: catalog.Relation) -> str:
    named = [name for name in ("vendor", "account", "subject", "check_id") if name in relation.columns]
    if "check_id" in named:
        return " and ".join(f"r.{name} = gone.{name}" for name in named)
    return "r.check_key = gone.check_key" if "check_key" in relation.columns else "false"


# ── the command ────────────────────────────────────────────────────────────────────────────────────────


def command(candidate_ref: str | None, check: tuple[str, str] | None, account: str | None, *, is_json: bool) -> int:
    """Erase for the configuration that holds here, and tell how much; never whom."""
    import os

    from screening_pipeline import console, runtime
    from screening_pipeline import settings as configuration
    from screening_pipeline.clock import system_clock

    if (candidate_ref is None) == (check is None):
        raise UsageError("name either --candidate-ref REF or --check VENDOR CHECK_ID", code="usage")
    settings = configuration.load(os.environ, Path.cwd())
    settings.paths.create()
    work = runtime.assembled(settings, os.environ, system_clock(os.environ))
    erased = erase_check(work, *check, account) if check else erase_candidate(work, _given(candidate_ref or ""))
    if is_json:
        console.say_json(asdict(erased) if erased else None)
    elif erased is None:
        console.say("erased before; nothing has come since")
    else:
        counts = f"{erased.check_count} checks, {erased.response_count} responses, {erased.order_count} orders"
        console.say(f"erased {counts}; {erased.erasure_id} in ops.erasure")
    return 0


def _given(candidate_ref: str) -> str:
    """The reference; `-` is a line of standard input, which neither the list of processes nor a history shows."""
    return sys.stdin.readline().rstrip("\r\n") if candidate_ref == "-" else candidate_ref
