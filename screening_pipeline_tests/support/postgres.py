"""A PostgreSQL of the tests' own: made by initdb in a temporary folder, on loopback, with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

PASSWORD = "of-a-test"
# Debian keeps each version's programs in a folder of its own, which is on nobody's path.
PROGRAMS = ("/usr/lib/postgresql", "/usr/pgsql")
SETTINGS = ("listen_addresses='127.0.0.1'", "shared_buffers=16MB", "max_connections=60")


def why_missing() -> str | None:
    """Why no server can be started here; None if one can."""
    if program("initdb") is None:
        return "PostgreSQL is not installed"
    drivers = ("psycopg", "psycopg2", "dagster_postgres")
    missing = [name for name in drivers if find_spec(name) is None]
    return f"the extra `cluster` is not installed ({', '.join(missing)})" if missing else None


@dataclass
class Server:
    """A running server. `url` is that of a database of its own, made when it is asked for."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    def new_database(self) -> str:
        """The URL of an empty database, with the password in it."""
        name = f"screening_{uuid4().hex[:12]}"
        self.say(f"create database {name}")
        return self.url(name)

    def url(self, database: str = "postgres", *, port: int | None = None, password: str = PASSWORD) -> str:
        """The URL of a database."""
        return f"postgresql://owner:{password}@127.0.0.1:{port or self.port}/{database}"

    def say(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """What the server answers to a statement."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def holding(self, url: str, wanted: bytes) -> list[str]:
        """Where the files of a database's tables, and a dump of it, have these bytes."""
        name = url.rsplit("/", 1)[1]
        self.say("checkpoint")
        ((number,),) = self.say(f"select oid from pg_database where datname = '{name}'")
        files = [path for path in (self.folder / "base" / str(number)).iterdir() if path.is_file()]
        found = [path.name for path in files if wanted in path.read_bytes()]
        dump = subprocess.run([str(program("pg_dump")), url], capture_output=True, check=True)
        return [*found, *(["the dump"] if wanted in dump.stdout else [])]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts all connections, SIGQUIT is a crash."""
        self.process.send_signal(how)
        self.process.wait(30)

    def start(self) -> None:
        """Start it again after `stop`, with the same files and port."""
        self.process = _started(self.folder, self.port)
        await_server(self.port, self.process)

    def crash(self) -> None:
        """Crash it, and start it again."""
        self.stop(signal.SIGQUIT)
        self.start()


@contextmanager
def running_server(*, fsync: bool = False) -> Iterator[Server]:
    """Context manager: a server, of another user where this one is root, as PostgreSQL wants it.

    Its files are thrown away, so that what the operating system has is enough, also after a kill of the server; `fsync`
    is for measuring.
    """
    folder = Path(tempfile.mkdtemp(prefix="screening-postgres-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _owner().pw_uid, _owner().pw_gid)
        data = folder / "data"
        _initialize(data, folder / "password")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("".join(f"{setting}\n" for setting in (*SETTINGS, f"fsync={'on' if fsync else 'off'}")))
        server = Server(data, port := free_port(), _started(data, port))
        try:
            await_server(port, server.process)
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialize(data: Path, password: Path) -> None:
    password.write_text(PASSWORD)
    password.chmod(0o644)
    auth = ["--username=owner", "--auth=scram-sha-256", f"--pwfile={password}"]
    options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"]
    command = [str(program("initdb")), f"--pgdata={data}", *auth, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", user=_user(), group=_group())


def _started(data: Path, port: int) -> subprocess.Popen[bytes]:
    command = [str(program("postgres")), "-D", str(data), "-p", str(port), "-k", str(data.parent)]
    return as_owner(command, data.parent / "log")


def as_owner(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A process of the user that PostgreSQL's programs take."""
    with log.open("ab") as written:
        return subprocess.Popen(
            command, cwd="/", user=_user(), group=_group(), stdin=subprocess.DEVNULL, stdout=written, stderr=written
        )


def await_server(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until it lets somebody in."""
    import psycopg

    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            assert process.poll() is None, "the server ended while it was starting"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.05)
        else:
            return


def _user() -> int | None:
    return _owner().pw_uid if os.geteuid() == 0 else None


def _group() -> int | None:
    return _owner().pw_gid if os.geteuid() == 0 else None


def _owner() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def program(name: str) -> Path | None:
    """Where a program of PostgreSQL is; None where it is not installed."""
    found = shutil.which(name)
    if found:
        return Path(found)
    below = (path for folder in PROGRAMS for path in sorted(Path("/").glob(f"{folder[1:]}*/**/bin/{name}")))
    return next(below, None)


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
