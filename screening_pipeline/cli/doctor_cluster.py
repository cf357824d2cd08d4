"""What `doctor` finds in the servers of several machines: the database, the object store, DuckDB's extensions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from screening_pipeline.base import bucket, postgres
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.cli.findings import Finding
from screening_pipeline.health.backlog import backlog
from screening_pipeline.privacy.forgetting import buckets
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings


FORGETTING = "turn versions and object lock off and delete old versions, or an erasure leaves what it erased"


def cluster_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Findings about what a configuration of several machines names; none where it names nothing."""
    for key, variable in _databases(settings).items():
        yield from _unless_out_of_reach(key, _database(key, variable, environ))
    if settings.engine == "ducklake":
        yield from _unless_out_of_reach("warehouse.engine", _extensions(settings))
    for key, address in buckets(settings).items():
        yield from _unless_out_of_reach(key, _bucket(key, address))
    for key, folder in _folders(settings).items():
        yield _folder(key, folder)
    yield from _unless_out_of_reach("inbox", _inbox(settings, environ))


def _databases(settings: Settings) -> dict[str, str | None]:
    found = {"state.url_env": settings.state.url_env}
    if settings.engine == "ducklake":
        found["warehouse.catalog_env"] = settings.warehouse.catalog_env
        found["warehouse.published_catalog_env"] = settings.warehouse.published_catalog_env
    return {key: variable for key, variable in found.items() if variable}


def _unless_out_of_reach(name: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except ScreeningError as error:
        yield Finding(name, "fail", str(error), "see the key, its variable, and that the server lets us in")


def _database(key: str, variable: str | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    url = environ.get(variable or "", "").strip()
    if not url:
        yield Finding(key, "fail", f"{variable} is not set", f"export {variable}=postgresql://…")
        return
    where = f"{key}, {variable}"
    postgres.require_sessions(url, where)
    with postgres.connected(url, where) as connection, postgres.told(where):
        found = connection.execute(catalog.statement("find_server_settings")).fetchone()
        version, standbys, checksums = found or (0, "", "off")
    words = f"PostgreSQL {version}"
    if not standbys and key.startswith("state."):
        lost = f"{words} without a synchronous standby: a failover may lose answers, and pushes are not told again"
        yield Finding(key, "warn", lost, "set synchronous_standby_names, where the server has a standby")
    elif checksums == "off":
        rot = f"{words} without data checksums: bits that rot there go unnoticed"
        yield Finding(key, "warn", rot, "pg_checksums --enable, while the server is stopped")
    else:
        yield Finding(key, "ok", f"{words}, with {standbys or 'no'} synchronous standby and data checksums")


def _extensions(settings: Settings) -> Iterator[Finding]:
    from screening_pipeline.warehouse import lake_session

    yield Finding("warehouse.engine", "ok", lake_session.versions(settings.data_dir))


def _folders(settings: Settings) -> dict[str, Path]:
    named = {"landing.url": settings.landing.url, "orders.url": settings.orders.url}
    return {key: Path(unquote(urlsplit(url).path)) for key, url in named.items() if url and url.startswith("file:")}


def _folder(key: str, folder: Path) -> Finding:
    needed = os.R_OK | os.X_OK | (os.W_OK if key == "landing.url" else 0)
    if not folder.is_dir() or not os.access(folder, needed):
        why = "cannot be written, or is not mounted" if key == "landing.url" else "cannot be read, or is not mounted"
        return Finding(key, "fail", f"the folder {why}", "mount it, and see that this user may use it")
    return Finding(key, "ok", "the folder is there")


def _inbox(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    found = backlog(settings, environ, SystemClock())
    if found is None:
        return
    if found.is_alarming:
        yield Finding(
            "inbox", "warn", found.words(), "what landing.url and the last run say; nothing is lost meanwhile"
        )
    else:
        yield Finding("inbox", "ok", f"{found.waiting.lines:,} answers wait to be put away")


def _bucket(key: str, address: str) -> Iterator[Finding]:
    remembers = bucket.why_it_remembers(address, key)
    if remembers:
        yield Finding(key, "fail", remembers, FORGETTING)
    else:
        yield Finding(key, "ok", "the bucket can be reached, and forgets what is deleted")
