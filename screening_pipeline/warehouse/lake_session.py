"""A session of DuckDB with lakes attached: extensions, keys of the object store, what differs from a file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import duckdb

from screening_pipeline.base import postgres
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import session
from screening_pipeline.warehouse.lake_catalogue import INSTALL, Catalogue

if TYPE_CHECKING:
    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection


EXTENSIONS = ("httpfs", "postgres_scanner", "ducklake")  # the first also encrypts
FENCE = "lake.fence"
INLINED_ROWS = 300
"""Inserts of up to so many rows stand in the catalogue until maintenance: with the default of 10 every cycle adds ten
files, and with thousands a rebuild costs twice as much."""


class LakeConnection:
    """A connection of DuckDB's that knows what is attached to it; all else is the connection itself."""

    def __init__(self, raw: Connection, traits: LakeTraits) -> None:
        self._raw = raw
        self.traits = traits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class LakeTraits(session.Traits):
    """What a lake offers, and the fence of its writer.

    Two appends never conflict in a lake. So each transaction raises the one number in `lake.fence`, which only the one
    may do who knows it: a writer that lost its lock to another, however late it comes back, commits nothing.
    """

    keeps_compression = False
    keeps_collations = False
    keeps_every_comment = False

    def __init__(self) -> None:
        self._require_lock: Callable[[], None] | None = None
        self._turn: int | None = None

    def fenced(self, connection: Connection, require_lock: Callable[[], None]) -> None:
        """Learn the number; from here on transactions raise it, and raise what `require_lock` raises."""
        self._require_lock = require_lock
        self._turn = connection.execute(f"select turn from {FENCE}").fetchall()[0][0]

    def begun(self, connection: Connection) -> None:
        if self._turn is None:
            return
        if self._require_lock:
            self._require_lock()
        raised = connection.execute(f"update {FENCE} set turn = turn + 1 where turn = {self._turn}").fetchone()
        if raised != (1,):
            told = "another machine has taken over the warehouse, and nothing was written here; run it again"
            raise EnvironmentFailed(told, code="taken_over")

    def committed(self) -> None:
        if self._turn is not None:
            self._turn += 1

    def copied(self, connection: Connection, relations: Sequence[Relation]) -> None:
        columns = ", ".join(f"{name} varchar" for name in ("schema_name", "table_name", "column_name", "comment"))
        connection.execute(f"create table ops.column_comment ({columns})")
        session.insert(connection, "ops.column_comment", _comments(relations))

    def pack(self, connection: Connection) -> None:
        """Nothing: in a lake a checkpoint is maintenance."""


def _comments(relations: Sequence[Relation]) -> Iterator[dict[str, str | None]]:
    """What a lake keeps no comments of: macros, and the columns of views."""
    for relation in relations:
        name = {"schema_name": relation.schema, "table_name": relation.name}
        if relation.refresh == "macro":
            yield {**name, "column_name": None, "comment": relation.grain}
        elif relation.refresh == "view":
            for column, meaning in relation.columns.items():
                yield {**name, "column_name": column, "comment": meaning}


def opened(folder: Path) -> Connection:
    """A session with the extensions of a lake, which spills into `folder`; nothing is attached."""
    raw = duckdb.connect()
    try:
        session.configure(raw, folder)
        raw.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
        for extension in EXTENSIONS:
            _load(raw, extension)
        # A commit that conflicts would be tried again as if nothing had happened in between.
        raw.execute("set ducklake_max_retry_count = 0")
    except BaseException:
        raw.close()
        raise
    return cast("Connection", LakeConnection(raw, LakeTraits()))  # it is one in all but its class


def versions(folder: Path) -> str:
    """The versions of DuckDB and of the extensions of a lake. Raises ConfigurationError where one cannot be loaded."""
    connection = opened(folder)
    try:
        query = "select extension_name, extension_version from duckdb_extensions() where loaded"
        found: dict[str, str] = dict(connection.execute(query).fetchall())
    finally:
        connection.close()
    told = ", ".join(f"{name} {found.get(name, '?')}" for name in EXTENSIONS)
    return f"DuckDB {duckdb.__version__} with {told}"


def traits_of(connection: Connection) -> LakeTraits:
    """The traits of a session with a lake."""
    return cast("LakeTraits", session.traits(connection))


def _load(raw: Connection, extension: str) -> None:
    """Load an extension from its wheel, else from where DuckDB keeps what was installed; it never fetches one."""
    found = importlib.util.find_spec(f"duckdb_extension_{extension}")
    file = f"extensions/v{duckdb.__version__}/{extension}.duckdb_extension"
    wheel = Path(found.origin).parent / file if found and found.origin else None
    try:
        raw.execute(f"load {quote(str(wheel)) if wheel and wheel.exists() else extension}")
    except duckdb.Error:
        problem = f'"ducklake" needs the extension {extension} of DuckDB {duckdb.__version__}: {INSTALL}'
        raise ConfigurationError([problem], source="warehouse.engine") from None


def attach(
    connection: Connection, name: str, catalogue: Catalogue, data_path: str, *, is_read_only: bool = False
) -> None:
    """Attach a lake under `name`, made if it is missing, unless the session has it already.

    Raises ConfigurationError, EnvironmentFailed.
    """
    if connection.execute(f"select 1 from duckdb_databases() where database_name = {quote(name)}").fetchall():
        return
    _give_keys(connection, name, data_path)
    if not _is_remote(data_path):
        Path(data_path).mkdir(mode=0o700, parents=True, exist_ok=True)
    options = [f"data_path {quote(data_path)}", "encrypted true", f"data_inlining_row_limit {INLINED_ROWS}"]
    options += ["read_only"] if is_read_only else []
    lake = f"ducklake:postgres:{postgres.lasting_address(catalogue.url)}"
    try:
        connection.execute(f"attach {quote(lake)} as {name} ({', '.join(options)})")
    except duckdb.Error as problem:
        if "DATA_PATH" in str(problem):
            told = "is not where the catalogue says that the files of this lake lie"
            raise ConfigurationError([told], source=_key_of_path(catalogue)) from None
        failure = f"cannot open the lake of {catalogue.named_by}: {type(problem).__name__}"
        raise EnvironmentFailed(failure, code="warehouse_unreadable") from None


def _key_of_path(catalogue: Catalogue) -> str:
    return "warehouse.published_data_path" if "published" in catalogue.named_by else "warehouse.data_path"


def _is_remote(data_path: str) -> bool:
    return bool(urlsplit(data_path).scheme)


def _give_keys(connection: Connection, name: str, data_path: str) -> None:
    """Give the session the keys of the object store, wherever the usual places have them, for that bucket alone."""
    if not _is_remote(data_path):
        return
    import boto3

    found = boto3.Session()
    keys = found.get_credentials()
    if keys is None:
        problem = "names an object store, and there are no keys for it: set AWS_ACCESS_KEY_ID, or what else AWS reads"
        raise ConfigurationError([problem], source="warehouse.data_path")
    frozen, endpoint = keys.get_frozen_credentials(), urlsplit(found.client("s3").meta.endpoint_url)
    given = {"key_id": frozen.access_key, "secret": frozen.secret_key, "session_token": frozen.token}
    given |= {"region": found.region_name, "endpoint": endpoint.netloc, "scope": data_path}
    told = [f"{name} {quote(value)}" for name, value in given.items() if value]
    told += [f"use_ssl {endpoint.scheme == 'https'}", "url_style 'path'"]
    connection.execute(f"create or replace secret of_{name} (type s3, {', '.join(told)})")


def maintain(connection: Connection, name: str, *, keep: timedelta) -> None:
    """Put small files of an attached lake together, and forget every state but the last that is older than `keep`.

    With no time to keep nothing is left of what was deleted, in no file: what stands in the catalogue is written to
    files first, since nobody else would remove it there.
    """
    threshold = 0 if not keep else 0.5
    # The last state always stays. With nothing to keep, a clock that is behind others must not keep more.
    old = f"older_than => now() - to_seconds({int(keep.total_seconds()) or -86_400})"
    for step in (
        f"flush_inlined_data('{name}')",
        f"rewrite_data_files('{name}', delete_threshold => {threshold})",
        f"merge_adjacent_files('{name}')",
        f"expire_snapshots('{name}', {old})",
        f"cleanup_old_files('{name}', {old if keep else 'cleanup_all => true'})",
        f"delete_orphaned_files('{name}', {old if keep else 'cleanup_all => true'})",
    ):
        connection.execute(f"call ducklake_{step}").fetchall()


def size(connection: Connection, name: str) -> int:
    """The bytes of the files of an attached lake."""
    query = f"select coalesce(sum(file_size_bytes + delete_file_size_bytes), 0) from ducklake_table_info({quote(name)})"
    return int(connection.execute(query).fetchall()[0][0])
