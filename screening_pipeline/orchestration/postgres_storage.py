"""Dagster's storage on PostgreSQL: what dagster.yaml must say of it, and what goes wrong with it in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, ScreeningError

if TYPE_CHECKING:
    import dagster as dg

STORAGE = "DagsterPostgresStorage"
_MODULES = ("dagster_postgres", "psycopg2", "psycopg")
# By this name SQLAlchemy takes the driver that dagster-postgres is written for; without it, one that it fails with.
SCHEME = "postgresql+psycopg2"
INSTALL = "install screening-pipeline[cluster]"


def require_usable(config: str, environ: Mapping[str, str], *, source: str) -> None:
    """Refuse an address that Dagster would fail with. `config`: that of `storage.postgres` in dagster.yaml, as YAML.

    Raises ConfigurationError, which names the key and never the address: that may carry a password.
    """
    import yaml  # type: ignore[import-untyped]

    if problems := [*_problems(yaml.safe_load(config) or {}, environ)]:
        raise ConfigurationError(problems, source=source)
    _require_driver(source)


def _problems(config: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    database = config.get("postgres_db")
    if isinstance(database, Mapping):
        if _value(database.get("scheme", ""), environ) != SCHEME:
            yield f"storage.postgres.postgres_db.scheme must be {SCHEME}: add it"
    elif (url := _value(config.get("postgres_url", ""), environ)) and url.partition("://")[0] != SCHEME:
        where = _variable(config.get("postgres_url")) or "storage.postgres.postgres_url"
        yield f"{where} must begin with {SCHEME}://"


def _value(given: object, environ: Mapping[str, str]) -> str:
    """What a key is set to; of a variable that is not set Dagster tells itself."""
    name = _variable(given)
    return environ.get(name, "") if name else str(given or "")


def _variable(given: object) -> str | None:
    return str(given["env"]) if isinstance(given, Mapping) and "env" in given else None


def _require_driver(source: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in ("dagster_postgres", "psycopg2") if find_spec(name) is None]
    if missing:
        raise ConfigurationError([f"storage.postgres needs {', '.join(missing)}: {INSTALL}"], source=source)


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Keep connections of an instance on PostgreSQL open; as it comes, Dagster makes one for each event that it writes.

    One that the server has closed meanwhile is noticed and made anew. Where each needs a token of its own none is kept.
    """
    address = getattr(instance.event_log_storage, "postgres_url", None)
    parts: list[Any] = [instance.event_log_storage, instance.run_storage, instance.schedule_storage]
    if address is None or any(getattr(part, "_token_provider", None) for part in parts):
        return
    import sqlalchemy

    kept = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT", pool_size=2, pool_pre_ping=True)
    for part in parts:
        part._engine = kept  # noqa: SLF001 - as its own `optimize_for_webserver` does, which pings nobody


def failure(problem: BaseException) -> EnvironmentFailed | None:
    """What PostgreSQL or the way to it has said, inside of whatever others have wrapped it into; None if nothing.

    Only the first line is told: statements and their values come after it.
    """
    inner: BaseException | None = problem
    found: BaseException | None = None
    seen: set[int] = set()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        if isinstance(inner, ScreeningError):
            return None
        if type(inner).__module__.partition(".")[0] in _MODULES:
            found = inner
        inner = getattr(inner, "user_exception", None) or inner.__cause__ or inner.__context__
    return None if found is None else _told(found)


def _told(problem: BaseException) -> EnvironmentFailed:
    said = str(problem).partition("\n")[0].strip() or type(problem).__name__
    where = "Dagster's storage on PostgreSQL (storage.postgres in dagster.yaml)"
    return EnvironmentFailed(f"{where}: {said}; see that it runs and lets us in", code="storage_unreachable")
