"""The intake of orders: manifests in data/orders/ → rows of `raw.order`, each file once, by its content.

Answers to calls that create a check are manifests, too (`orders.creations`): what state they tell is landed.

A row that cannot be right goes to `ops.reject` with its file, line and reason; the rest of the file loads. The
files are the customer's: they are never moved or changed, and a person's reference leaves them only as a keyed
pseudonym.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain.exchange import Exchange, new_response_id
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.orders import creations
from screening_pipeline.orders.files import Problem, unread
from screening_pipeline.orders.readers import manifest_lines
from screening_pipeline.orders.rows import YEARS, read
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, session, suppression
from screening_pipeline.warehouse.batch import register_orders

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.orders.files import Manifest, Row
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# Rows that are held in memory at a time.
CHUNK_ROWS = 10_000
PROGRESS_ROWS = 1_000


@dataclass(frozen=True)
class Intake:
    """Counts of one intake of manifests."""

    files: int = 0
    orders: int = 0
    rejects: int = 0

    def __add__(self, other: Intake) -> Intake:
        return Intake(self.files + other.files, self.orders + other.orders, self.rejects + other.rejects)


def take_in(
    connection: Connection,
    settings: Settings,
    *,
    key: bytes,
    now: datetime,
    run_id: str,
    progress: Progress = no_progress,
    landing: Landing | None = None,
) -> Intake:
    """Read every new manifest into `raw.order` and number the checks it announces; land the states that they tell.

    Of those read before only the rows that were refused for their account, where other accounts are configured now.
    The rows stay in the temporary table `new_order` for the batch that follows.
    """
    loaded = {"loaded_at": now.isoformat(), "run_id": run_id}
    accounts = ", ".join(settings.account_keys)
    refused = _refused(connection, accounts)
    known = {row[0] for row in connection.execute("select file_sha256 from raw.order_file").fetchall()}
    connection.execute("create or replace temp table new_order as from raw.order limit 0")
    taken = Intake()
    for manifest in unread(settings.paths.orders, known - refused.keys()):
        if manifest.created_by and landing is not None:
            _land_states(landing, manifest, settings, now, run_id)
        outcomes = _told(read(connection, manifest, settings, key=key), manifest, progress)
        if manifest.sha256 in refused:
            _take_back(connection, manifest)
            kept = _keep(connection, manifest, _only(outcomes, refused[manifest.sha256]), loaded)
            _note_again(connection, manifest, kept, accounts)
        else:
            kept = _keep(connection, manifest, outcomes, loaded)
            _note(connection, manifest, kept, accounts, loaded)
        taken += kept
    if taken.files:
        suppression.skip_orders(connection)
        register_orders(connection)
    return taken


def _refused(connection: Connection, accounts: str) -> dict[str, set[int]]:
    """The lines that were refused for their account while other accounts were configured, by content of the file."""
    found = connection.execute(catalog.statement("find_refused_orders", accounts=quote(accounts)))
    lines: dict[str, set[int]] = defaultdict(set)
    for digest, line in found.fetchall():
        lines[digest].add(line)
    return lines


def is_refused(connection: Connection, settings: Settings, candidate_key: str, *, key: bytes) -> bool:
    """Whether an order of this person was refused for an unknown account, and would load once that is configured."""
    lines = _refused(connection, accounts="")
    found = (manifest for manifest in unread(settings.paths.orders, known=()) if manifest.sha256 in lines)
    named = (manifest for manifest in found if not manifest.created_by)
    rows = (given for m in named for line, given in manifest_lines(connection, m) if line in lines[m.sha256])
    references = (given.get("candidate_ref", "").strip() for given in rows if not isinstance(given, Problem))
    return any(reference and pseudonym(key, reference) == candidate_key for reference in references)


def _take_back(connection: Connection, manifest: Manifest) -> None:
    """Delete the rejects of the refused rows, before these are read again."""
    prefix = quote(f"{manifest.sha256[:16]}/")
    connection.execute(catalog.statement("take_back_refused_orders", reject_prefix=prefix))


def _only(outcomes: Iterator[Row | Problem], lines: Collection[int]) -> Iterator[Row | Problem]:
    for outcome in outcomes:
        if (outcome.line if isinstance(outcome, Problem) else outcome["line"]) in lines:
            yield outcome


def _told(outcomes: Iterator[Row | Problem], manifest: Manifest, progress: Progress) -> Iterator[Row | Problem]:
    lines = manifest.content.count(b"\n")
    for number, outcome in enumerate(outcomes, start=1):
        if number % PROGRESS_ROWS == 0:
            progress("reading orders", number, max(number, lines))
        yield outcome


def _land_states(landing: Landing, manifest: Manifest, settings: Settings, now: datetime, run_id: str) -> None:
    """Land what the answers say of their checks as the first that was seen of them: at the time of the file.

    That it was before anything that is asked now is certain, also where the clock stands still.
    """
    slug, account = manifest.created_by or ("", "")
    if (slug, account) not in {(a.vendor, a.name) for a in settings.accounts}:
        return
    written = datetime.fromtimestamp(manifest.path.stat().st_mtime, UTC)
    seen_at = now - timedelta(seconds=1)
    if written.year in YEARS:
        seen_at = min(written, seen_at)
    declared = all_vendors()[slug]
    told = (c for _, c in creations.read(manifest.content, declared) if isinstance(c, creations.Creation) and c.body)
    exchanges = (
        Exchange(
            response_id=new_response_id(seen_at, number / 1e9),
            vendor=slug,
            account=account,
            endpoint=declared.endpoint_for(creation.subject).name,
            channel="push",  # told without being asked for
            requested_at=seen_at,
            received_at=seen_at,
            run_id=run_id,
            subject=creation.subject,
            check_id=creation.check_id,
            http_status=200,
            body=creation.body or b"",
        )
        for number, creation in enumerate(told)
    )
    while batch := list(islice(exchanges, PROGRESS_ROWS)):
        landing.receive_together(batch)


def _keep(connection: Connection, manifest: Manifest, outcomes: Iterator[Row | Problem], loaded: Row) -> Intake:
    """Append what was read."""
    source = {"file": manifest.name, "file_sha256": manifest.sha256}
    kept = Intake(files=1)
    while chunk := list(islice(outcomes, CHUNK_ROWS)):
        problems = [outcome for outcome in chunk if isinstance(outcome, Problem)]
        rows = (outcome | source | loaded for outcome in chunk if not isinstance(outcome, Problem))
        session.insert(connection, "new_order", rows)
        session.insert(connection, "ops.reject", [_reject(manifest, problem, loaded) for problem in problems])
        kept += Intake(orders=len(chunk) - len(problems), rejects=len(problems))
    return kept


def _note(connection: Connection, manifest: Manifest, kept: Intake, accounts: str, loaded: Row) -> None:
    counts = {"row_count": kept.orders + kept.rejects, "reject_count": kept.rejects, "accounts": accounts}
    row = {"file_sha256": manifest.sha256, "file": manifest.name, **counts, **loaded}
    session.insert(connection, "raw.order_file", [row])


def _note_again(connection: Connection, manifest: Manifest, kept: Intake, accounts: str) -> None:
    given = {"accounts": quote(accounts), "file_sha256": quote(manifest.sha256)}
    connection.execute(catalog.statement("note_manifest_again", taken=kept.orders, **given))


def _reject(manifest: Manifest, problem: Problem, loaded: Row) -> Row:
    return {
        "reject_id": f"{manifest.sha256[:16]}/{problem.line or 0}",
        "source": "manifest",
        "file": manifest.name,
        "line": problem.line,
        "reason": problem.reason,
        "detail": problem.detail,
        "rejected_at": loaded["loaded_at"],
    }
