"""Compiles a vendor's declaration into one typed scan of its landed lines.

Re-addresses, never interprets: which path of a payload feeds which of our columns. The scan reads a line once,
takes the declared addresses and drops the rest (names, birth dates and whatever else a payload carries), so
that a million responses cost a scan and not a loop.
"""

from __future__ import annotations

from collections.abc import Callable

from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain.declaration import FIELD_COLUMNS, Parts, Record, Vendor, aliases
from screening_pipeline.domain.vocabulary import FACTS, PART_COLUMNS, RUN_COLUMNS, WORDS

Tree = dict[str, "Tree | str"]
"""A JSON shape: key → deeper shape, or the DuckDB type of a leaf."""

ENVELOPE = {
    "response_id": "varchar",
    "vendor": "varchar",
    "account": "varchar",
    "subject": "varchar",
    "check_id": "varchar",
    "endpoint": "varchar",
    "channel": "varchar",
    "http_status": "integer",
    "failure": "varchar",
    "requested_at": "timestamptz",
    "received_at": "timestamptz",
    "due_at": "timestamptz",
    "latency_ms": "integer",
    "run_id": "varchar",
    "reject": "varchar",
    "reject_detail": "varchar",
    "message_rejects": "struct(index integer, reason varchar)[]",
    "part_rejects": "struct(index integer, part varchar)[]",
}
PART_TYPE = "struct(" + ", ".join(f'"{name}" varchar' for name in PART_COLUMNS) + ")[]"
RUN_TYPE = "struct(" + ", ".join(f'"{name}" varchar' for name in RUN_COLUMNS) + ")[]"
FIELD_TYPE = "struct(" + ", ".join(f'"{name}" varchar' for name in FIELD_COLUMNS) + ")[]"
ACTION_TYPE = "varchar[]"


def scan_sql(vendor: Vendor, source: str) -> str:
    """The SELECT that reads the landed lines of one vendor from `source` (a SQL list of paths, as text).

    One row per message, or one per response that carries none (a reject, a failure, an empty feed), with
    the envelope, `message_index` (from 1), the words and facts of `model`, and the lists `components`,
    `actions`, `runs` and `fields` in our column names. All values are text as received.
    """
    columns = {**ENVELOPE, "messages": _messages_type(vendor)}
    typed = ", ".join(f"{name}: {quote(kind)}" for name, kind in columns.items())
    return (
        f"with line as (select * from read_json({source}, format = 'newline_delimited', "
        f"ignore_errors = true, maximum_object_size = 67108864, columns = {{{typed}}})), "
        f"message as (select * exclude (messages, subject, check_id), subject as asked_subject, "
        f"check_id as asked_check_id, len(messages)::integer as message_count, "
        f"unnest(case when len(messages) > 0 then messages else [null] end) as m, "
        f"generate_subscripts(case when len(messages) > 0 then messages else [null] end, 1) as i from line) "
        f"select * exclude (m, i), case when m is null then null else i end as message_index, "
        f"m.subject as subject, m.check_id as check_id, {_projection(vendor)} from message"
    )


def _messages_type(vendor: Vendor) -> str:
    body: Tree = {}
    for record in vendor.records.values():
        _add_record(body, record)
    return f"struct(subject varchar, check_id varchar, body {_struct(body)})[]"


def _add_record(tree: Tree, record: Record) -> None:
    for address in record.columns.values():
        for alias in aliases(address):
            _add(tree, alias, "varchar")
    for parts in record.lists:
        _add(tree, parts.at, _parts_type(parts))


def _add(tree: Tree, address: str, kind: str) -> None:
    *parents, leaf = address.split(".")
    for parent in parents:
        deeper = tree.setdefault(parent, {})
        if isinstance(deeper, str):
            raise TypeError(f"{address}: {parent} is declared both as a value and as an object")
        tree = deeper
    tree[leaf] = kind


def _parts_type(parts: Parts) -> str:
    keys = [address for address in parts.columns.values() if address]
    inner = ", ".join(f'"{key}" varchar' for key in keys)
    return f"struct({inner})[]" if keys else "varchar[]"


def _struct(tree: Tree) -> str:
    inner = (f'"{key}" {kind if isinstance(kind, str) else _struct(kind)}' for key, kind in tree.items())
    return f"struct({', '.join(inner)})"


def _projection(vendor: Vendor) -> str:
    words = [f"{_by_subject(vendor, _column(name))} as {name}" for name in WORDS + FACTS]
    lists = [
        f"{_by_subject(vendor, _components, PART_TYPE)} as components",
        f"{_by_subject(vendor, _actions, ACTION_TYPE)} as actions",
        f"{_by_subject(vendor, _runs, RUN_TYPE)} as runs",
        f"{_by_subject(vendor, _fields, FIELD_TYPE)} as fields",
    ]
    return ", ".join(words + lists)


def _by_subject(vendor: Vendor, expression: Callable[[Record], str | None], kind: str = "varchar") -> str:
    found = {subject: expression(record) for subject, record in vendor.records.items()}
    arms = " ".join(f"when {quote(subject)} then {sql}" for subject, sql in found.items() if sql)
    return f"(case m.subject {arms} end)::{kind}" if arms else f"null::{kind}"


def _column(name: str) -> Callable[[Record], str | None]:
    def expression(record: Record) -> str | None:
        address = record.columns.get(name)
        if address is None:
            return None
        *preferred, last = (_path("m.body", alias) for alias in aliases(address))
        # An empty text is no word: the next alias has one, or the judge would have refused the message.
        words = [f"nullif({path}, '')" for path in preferred]
        return f"coalesce({', '.join([*words, last])})" if words else last

    return expression


def _path(root: str, address: str) -> str:
    return root + "".join(f'."{key}"' for key in address.split("."))


def _components(record: Record) -> str | None:
    return _list(record.components, PART_COLUMNS)


def _runs(record: Record) -> str | None:
    return _list(record.runs, RUN_COLUMNS)


def _fields(record: Record) -> str | None:
    return _list(record.fields, FIELD_COLUMNS)


def _actions(record: Record) -> str | None:
    if record.actions is None:
        return None
    return f"list_transform({_path('m.body', record.actions.at)}, lambda p: {_element(record.actions, 'type')})"


def _list(parts: Parts | None, names: tuple[str, ...]) -> str | None:
    if parts is None:
        return None
    fields = ", ".join(f"{quote(name)}: {_element(parts, name)}" for name in names)
    return f"list_transform({_path('m.body', parts.at)}, lambda p: {{{fields}}})"


def _element(parts: Parts, name: str) -> str:
    address = parts.columns.get(name)
    if address is None:
        return "null::varchar"
    return _path("p", address) if address else "p"
