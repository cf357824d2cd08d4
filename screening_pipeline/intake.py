"""Which checks were ordered: manifests in data/orders/ → rows of `raw.order`, each file once, by its content.

A row that cannot be right goes to `ops.reject` with its file, line and reason; the rest of the file loads. The
files are the customer's: they are never moved or changed, and a person's reference leaves them only as a keyed
pseudonym.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline import build, forgotten, unnamed, warehouse
from screening_pipeline.errors import EnvironmentFailed
from screening_pipeline.guard import unique
from screening_pipeline.progress import Progress, no_progress
from screening_pipeline.pseudonym import pseudonym
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.settings import Settings
    from screening_pipeline.warehouse import Connection

REQUIRED = ("vendor", "check_id")
OPTIONAL = ("account", "subject", "candidate_ref", "package", "ordered_at", "country", "region", "cost_center", "tags")
COLUMNS = REQUIRED + OPTIONAL
ENDINGS = (".csv", ".ndjson", ".parquet")
_HALF_WRITTEN = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
# Columns in which nobody breaks a line.
_ONE_LINE = (*REQUIRED, "account", "subject", "candidate_ref", "ordered_at")
# Rows that are held in memory at a time.
CHUNK_ROWS = 10_000
PROGRESS_ROWS = 1_000
# The longest row of a CSV, in lines: what goes on for longer is a quote that was left open.
_MOST_LINES = 100
# Names of columns that are looked at for a misspelt one; lines of JSON may have any number of them.
_MOST_NAMES = 1_000
# Columns that customers have besides, and that no slip has made of one of ours (country).
_WORDS = ("county",)

Row = dict[str, Any]

# What may be right as soon as other accounts are configured.
_REFUSED = "source = 'manifest' and reason in ('unknown_account', 'account_required')"


@dataclass(frozen=True)
class Problem:
    """Why a row, or with line None a file or one of its columns, was not read. `detail` names columns and known words.

    A column is named only where it is nearly one of ours.
    """

    line: int | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Manifest:
    """One file that was not read before."""

    path: Path
    sha256: str
    content: bytes

    @property
    def name(self) -> str:
        """The file's name as text; bytes of it that are no UTF-8 are shown by their numbers."""
        return self.path.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Intake:
    """What one look into the folder brought."""

    files: int = 0
    orders: int = 0
    rejects: int = 0

    def __add__(self, other: Intake) -> Intake:
        return Intake(self.files + other.files, self.orders + other.orders, self.rejects + other.rejects)


def manifests(folder: Path) -> list[Path]:
    """The files in `folder` that are manifests by their names, by name; hidden ones may still be being written."""
    found = (p for p in folder.glob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    return sorted(path for path in found if path.is_file())


def not_manifests(folder: Path) -> list[str]:
    """The files in `folder` that nobody reads, and the folders (`name/`), by name; no hidden or half written ones."""
    known = {*manifests(folder)}
    found = (p for p in folder.glob("*") if not p.name.startswith(".") and not p.name.endswith(_HALF_WRITTEN))
    return sorted(f"{path.name}/" if path.is_dir() else path.name for path in found if path not in known)


def unread(folder: Path, known: Iterable[str]) -> Iterator[Manifest]:
    """The manifests in `folder` whose content is not among the `known` hashes, one at a time.

    Raises EnvironmentFailed.
    """
    seen = set(known)
    for path in manifests(folder):
        content = _content(path)
        if content is None:
            continue
        digest = hashlib.sha256(content).hexdigest()
        if digest not in seen:
            seen.add(digest)
            yield Manifest(path, digest, content)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # it was taken away since it was listed
        return None
    except OSError as problem:
        reason = problem.strerror or "not readable"
        raise EnvironmentFailed(f"cannot read the manifest {path.name}: {reason}", code="not_readable") from None


def take_in(
    connection: Connection,
    settings: Settings,
    *,
    key: bytes,
    now: datetime,
    run_id: str,
    progress: Progress = no_progress,
) -> Intake:
    """Read every new manifest into `raw.order` and number the checks it announces.

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
        forgotten.skip_orders(connection)
        build.register_orders(connection)
    return taken


def _refused(connection: Connection, accounts: str) -> dict[str, set[int]]:
    """The lines that were refused for their account while other accounts were configured, by content of the file."""
    found = connection.execute(
        "select file_sha256, line from ops.reject inner join raw.order_file "
        "on starts_with(reject_id, concat(file_sha256[:16], '/')) "
        f"where {_REFUSED} and accounts is distinct from {warehouse.quote(accounts)}"
    )
    lines: dict[str, set[int]] = defaultdict(set)
    for digest, line in found.fetchall():
        lines[digest].add(line)
    return lines


def is_refused(connection: Connection, settings: Settings, candidate_key: str, *, key: bytes) -> bool:
    """Whether a row about this person was refused for its account: it comes in where that is configured."""
    lines = _refused(connection, accounts="")
    found = (manifest for manifest in unread(settings.paths.orders, known=()) if manifest.sha256 in lines)
    rows = (given for m in found for line, given in _lines(connection, m) if line in lines[m.sha256])
    references = (given.get("candidate_ref", "").strip() for given in rows if not isinstance(given, Problem))
    return any(reference and pseudonym(key, reference) == candidate_key for reference in references)


def _take_back(connection: Connection, manifest: Manifest) -> None:
    """What was said of the refused rows, before they are read again."""
    mine = f"starts_with(reject_id, {warehouse.quote(manifest.sha256[:16] + '/')})"
    connection.execute(f"delete from ops.reject where {_REFUSED} and {mine}")


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


def read(connection: Connection, manifest: Manifest, settings: Settings, *, key: bytes) -> Iterator[Row | Problem]:
    """The rows of a manifest that can be read, and why the others cannot, in their order."""
    for line, given in _lines(connection, manifest):
        yield given if isinstance(given, Problem) else _order(line, given, settings, key)


def _lines(connection: Connection, manifest: Manifest) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    match manifest.path.suffix.lower():
        case ".csv":
            return _csv_lines(manifest.content)
        case ".ndjson":
            return _ndjson_lines(manifest.content)
        case _:
            return _parquet_lines(connection, manifest)


def _csv_lines(content: bytes) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    rows = _Rows(content)
    line, first = next(rows, (1, []))
    header = [name.strip() for name in first or ()]
    problem = _bad_header(header) if first is not None else _bad_row(rows, line)
    if problem:
        yield line, problem
        return
    yield from _misspelt(header, line)
    for line, cells in rows:
        if cells is None or (rows.is_quoted and _is_torn(header, cells, rows.height)):
            yield line, _bad_row(rows, line)
        elif any(cell.strip() for cell in cells):
            yield line, _cells(header, cells, line)


class _Rows:
    """The rows of a CSV text, each with the line on which it begins; None for what is no row."""

    def __init__(self, content: bytes) -> None:
        self._text = _text_lines(content, newline="")
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._line = 1
        self._reader = csv.reader(self._lines(), strict=True)

    @property
    def height(self) -> int:
        """How many lines the last row has."""
        return len(self._taken)

    @property
    def is_quoted(self) -> bool:
        """Whether there is a quote in the last row; one of several lines begins with one in its first."""
        return '"' in self._taken[0]

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[int, list[str] | None]:
        self._line += self.height
        self._taken.clear()
        line = self._line
        try:
            return line, next(self._reader)
        except csv.Error:
            return line, None

    def reread(self) -> None:
        """Read what followed the first line of the last row once more."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        self._reader = csv.reader(self._lines(), strict=True)

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else next(self._text, ""):
            self._taken.append(line)
            if self.height > _MOST_LINES:
                raise csv.Error
            yield line


def _is_torn(header: list[str], cells: list[str], height: int) -> bool:
    """Whether a quote that was left open, or one that closes nothing, may have moved the ends of cells."""
    told = (cell for name, cell in zip(header, cells, strict=False) if name in _ONE_LINE)
    return (height > 1 and len(cells) != len(header)) or any("\n" in cell or cell.endswith('"') for cell in told)


def _bad_row(rows: _Rows, line: int) -> Problem:
    """Why the last row was not read; what a quote that is open in it has swallowed is read again."""
    if rows.height == 1:
        return Problem(line, "bad_csv", "the row is not well-formed CSV")
    detail = f"a quote seems to be left open in the row: it would go on to line {line + rows.height - 1}"
    rows.reread()
    return Problem(line, "bad_csv", detail)


def _text_lines(content: bytes, *, newline: str) -> io.TextIOWrapper:
    """The lines, decoded as they are asked for."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace", newline=newline)


def _bad_header(header: list[str]) -> Problem | None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        return Problem(1, "missing_column", f"the header has no {' and no '.join(missing)}")
    twice = sorted({name for name in header if header.count(name) > 1 and name in COLUMNS})
    return Problem(1, "duplicate_column", f"the header has {twice[0]} twice") if twice else None


def _misspelt(names: Collection[str], line: int | None) -> Iterator[tuple[int, Problem]]:
    """At most one problem, of names that are nearly those of columns which are not there; others are the customer's."""
    absent = [name for name in OPTIONAL if name not in names]
    others = islice((name for name in names if name not in COLUMNS and name not in _WORDS), _MOST_NAMES)
    # A slip of the pen; with the usual cutoff candidate_id would be one of candidate_ref.
    near = ((name, get_close_matches(name.lower(), absent, n=1, cutoff=0.85)) for name in others)
    found = [f"{name!a} is no column; did you mean {close[0]}?" for name, close in near if close]
    if found:
        yield line or 1, Problem(line, "unknown_column", " ".join(found))


def _cells(header: list[str], cells: list[str], line: int) -> Mapping[str, str] | Problem:
    if len(cells) != len(header):
        return Problem(line, "bad_csv", f"{len(cells)} cells under a header of {len(header)}")
    return dict(zip(header, cells, strict=True))


def _ndjson_lines(content: bytes) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    names: set[str] = set()
    for number, line in enumerate(_text_lines(content, newline="\n"), start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line, object_pairs_hook=unique)
        except (ValueError, RecursionError):
            yield number, Problem(number, "bad_json", "the line is not JSON, or gives a name twice")
            continue
        if isinstance(given, dict):
            names.update(given)
            yield number, _texts(number, given)
        else:
            yield number, Problem(number, "bad_json", "the line is not a JSON object")
    yield from _misspelt(sorted(names), None)


def _texts(line: int, given: Mapping[str, object]) -> Mapping[str, str] | Problem:
    """The columns as text. A number with a fraction, a truth value or a list is no name of anything."""
    texts = {}
    for name in COLUMNS:
        value = given.get(name)
        if isinstance(value, str):
            texts[name] = value
        elif (isinstance(value, int) and not isinstance(value, bool)) or (name == "tags" and isinstance(value, dict)):
            texts[name] = json.dumps(value, ensure_ascii=False)
        elif value is not None:
            return Problem(line, "bad_value", f"{name} is neither text nor a whole number")
    return texts


def _parquet_lines(connection: Connection, manifest: Manifest) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    try:
        # Apart from the transaction that is open: DuckDB gives one up in which anything failed.
        with warehouse.apart(connection) as reader, unnamed.in_memory(manifest.content) as path:
            table = f"read_parquet({warehouse.quote(path)})"
            kinds = {name: kind for name, kind, *_ in reader.execute(f"describe from {table}").fetchall()}
            result = reader.execute(f"select columns(*)::varchar from (select {_cells_of(kinds)} from {table})")
            header = [column[0] for column in result.description or []]
            rows = result.fetchall()
    except warehouse.DatabaseError:
        yield 1, Problem(None, "bad_parquet", "the file is not readable Parquet")
        return
    problem = _bad_header(header) or _rounded(kinds)
    if problem:
        yield 1, problem
        return
    yield from _misspelt(header, None)
    for number, cells in enumerate(rows, start=1):
        yield number, {name: "" if cell is None else cell for name, cell in zip(header, cells, strict=True)}


def _cells_of(kinds: Mapping[str, str]) -> str:
    """Every column as it is, but tags that are an object already as JSON: DuckDB's own text of one is not."""
    is_object = kinds.get("tags", "").startswith(("STRUCT", "MAP"))
    return "* replace (to_json(tags) as tags)" if is_object else "*"


def _rounded(kinds: Mapping[str, str]) -> Problem | None:
    """Ids that passed through a floating-point column, as an absent one makes pandas do, are ids no longer."""
    for name in ("check_id", "candidate_ref"):
        if re.fullmatch(r"FLOAT|DOUBLE|DECIMAL\(\d+,(?!0\))\d+\)", kinds.get(name, "")):
            return Problem(None, "bad_type", f"{name} is a column of numbers with decimals; make it text")
    return None


def _order(line: int, given: Mapping[str, str], settings: Settings, key: bytes) -> Row | Problem:
    row = {name: given.get(name, "").strip() for name in COLUMNS}
    problem = _unreadable(line, row) or _unknown_vendor(line, row, settings) or _unknown_subject(line, row)
    if problem:
        return problem
    moment = _instant(row["ordered_at"], settings.account(row["vendor"], row["account"]).timezone)
    if moment is None and row["ordered_at"]:
        return Problem(line, "bad_time", "ordered_at is not an ISO 8601 time such as 2026-03-02T09:30:00+01:00")
    if row["tags"] and not _is_object(row["tags"]):
        return Problem(line, "bad_tags", "tags is not a JSON object")
    reference = row.pop("candidate_ref")
    return {
        **{name: value or None for name, value in row.items()},
        "line": line,
        "ordered_at": moment,
        "candidate_key": pseudonym(key, reference) if reference else None,
    }


def _unreadable(line: int, row: Row) -> Problem | None:
    text = "".join(row.values())
    if "\ufffd" in text or "\x00" in text or _has_lone_surrogate(text):
        return Problem(line, "not_utf8", "the row is not UTF-8 text")
    if not row["check_id"]:
        return Problem(line, "empty_id", "check_id is empty")
    return None


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _unknown_vendor(line: int, row: Row, settings: Settings) -> Problem | None:
    vendor, account = row["vendor"], row["account"]
    if vendor not in all_vendors():
        return Problem(
            line, "unknown_vendor", "vendor is none of " + ", ".join(all_vendors()) + _nearest(vendor, all_vendors())
        )
    names = [a.name for a in settings.accounts if a.vendor == vendor]
    if account and account not in names:
        return Problem(line, "unknown_account", f"no such {vendor} account is configured{_nearest(account, names)}")
    if not names:
        return Problem(line, "unknown_account", f"no {vendor} account is configured")
    if not account and len(names) > 1:
        return Problem(line, "account_required", f"{vendor} has {len(names)} accounts: name one of {', '.join(names)}")
    row["account"] = account or names[0]
    return None


def _unknown_subject(line: int, row: Row) -> Problem | None:
    vendor = all_vendors()[row["vendor"]]
    row["subject"] = row["subject"] or vendor.default_subject
    if row["subject"] not in vendor.subjects:
        return Problem(line, "unknown_subject", f"a {vendor.slug} subject is one of {', '.join(vendor.subjects)}")
    return None


def _nearest(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.lower(), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _is_object(text: str) -> bool:
    """Whether DuckDB can read it as one, too: one row that it cannot fails a query over all."""
    try:
        given = json.loads(text, parse_constant=_refuse, object_pairs_hook=unique)
        return isinstance(given, dict) and not _has_lone_surrogate(json.dumps(given, ensure_ascii=False))
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_YEARS = range(2000, 9999)
"""No order is of an earlier year; the first and the last are how some say "never", others are slips of the pen."""


def _instant(text: str, zone: str) -> str | None:
    """The instant as ISO 8601 in UTC; a time without an offset is local, a date alone its first moment."""
    from zoneinfo import ZoneInfo

    try:
        moment = datetime.fromisoformat(text)
        local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
        # Where clocks go back an hour comes twice: the later is taken, as of what vendors tell (`star.local_time`).
        instant = max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        return None
    return instant.isoformat() if instant.year in _YEARS else None


def _keep(connection: Connection, manifest: Manifest, outcomes: Iterator[Row | Problem], loaded: Row) -> Intake:
    """Append what was read."""
    source = {"file": manifest.name, "file_sha256": manifest.sha256}
    kept = Intake(files=1)
    while chunk := list(islice(outcomes, CHUNK_ROWS)):
        problems = [outcome for outcome in chunk if isinstance(outcome, Problem)]
        rows = (outcome | source | loaded for outcome in chunk if not isinstance(outcome, Problem))
        warehouse.insert(connection, "new_order", rows)
        warehouse.insert(connection, "ops.reject", [_reject(manifest, problem, loaded) for problem in problems])
        kept += Intake(orders=len(chunk) - len(problems), rejects=len(problems))
    return kept


def _note(connection: Connection, manifest: Manifest, kept: Intake, accounts: str, loaded: Row) -> None:
    counts = {"row_count": kept.orders + kept.rejects, "reject_count": kept.rejects, "accounts": accounts}
    row = {"file_sha256": manifest.sha256, "file": manifest.name, **counts, **loaded}
    warehouse.insert(connection, "raw.order_file", [row])


def _note_again(connection: Connection, manifest: Manifest, kept: Intake, accounts: str) -> None:
    connection.execute(
        f"update raw.order_file set accounts = {warehouse.quote(accounts)}, "
        f"reject_count = reject_count - {kept.orders} where file_sha256 = {warehouse.quote(manifest.sha256)}"
    )


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
