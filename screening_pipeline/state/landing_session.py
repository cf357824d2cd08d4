"""The schema of a shared landing area as each thread asks it: made or upgraded where it has to be, and durable."""

from __future__ import annotations

from collections.abc import Callable

from screening_pipeline.base import postgres
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.state.landing_schema import SCHEMA, UPGRADES, VERSION
from screening_pipeline.state.postgres_session import PostgresSession

CLOCK = SystemClock()
# A commit is waited for whatever the server is set to; where it has a synchronous standby, for that, too.
DURABLY = "set local synchronous_commit = on"
_IDLE_SECONDS = 1.0


class LandingSession(PostgresSession):
    """See `PostgresSession`; of the schema `screening_landing` as well."""

    def _surely_open(self) -> postgres.Connection:
        """The connection, asked whether it lives where it was idle: what is not repeated must not fail of that."""
        now = CLOCK.monotonic()
        if now - getattr(self._local, "used_at", -_IDLE_SECONDS) >= _IDLE_SECONDS:
            self.rows("select 1")
        self._local.used_at = now
        return self._connection()

    def _once(self, change: Callable[[postgres.Connection], None]) -> None:
        """One durable transaction, on a new connection where the server had closed this one.

        It is never repeated: whether a commit went through that nobody answered is not known.
        """
        with postgres.told(self.where):
            connection = self._surely_open()
            with connection.transaction():
                connection.execute(DURABLY)
                change(connection)

    def key_in_use(self, name: str, digest: str) -> str:
        """The digest of the key of this name that is in use; the given one, which is noted, where none was."""
        self.rows("insert into screening_landing.key values (%s, %s) on conflict do nothing", (name, digest))
        row = self.row("select digest from screening_landing.key where name = %s", (name,))
        return str(row[0]) if row else digest

    def _require_usable(self, connection: postgres.Connection) -> None:
        super()._require_usable(connection)
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtextextended('screening schema', 0))")
            if connection.execute("select to_regclass('screening_landing.version')").fetchone() == (None,):
                connection.execute(SCHEMA)
            found = connection.execute("select version from screening_landing.version").fetchone()
            if found and (upgrade := UPGRADES.get(found[0])):
                connection.execute(upgrade)
                found = (VERSION,)
        if found != (VERSION,):
            words = f"{self.where}: the schema screening_landing is of version {found[0] if found else '?'}"
            needed = f"this program needs {VERSION}: bring all machines to one version"
            raise EnvironmentFailed(f"{words}, {needed}", code="state_version")
