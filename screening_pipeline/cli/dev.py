"""`dev` and `serve`: Dagster's pages and daemon as processes of their own, with the pipeline's own storage.

With the daemon goes a server of the code, for both. Without one the daemon would have the code loaded anew once a
minute, in a new process.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.loopback import is_loopback
from screening_pipeline.cli import console
from screening_pipeline.cli.stopping import stoppable
from screening_pipeline.settings import load

_LOOK_EVERY_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1
_ENDING_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """What is served: the address of the pages, further names they answer to, and which of the two processes run."""

    host: str = "127.0.0.1"
    port: int = 3000
    allowed: Sequence[str] = ()
    path_prefix: str = ""
    is_read_only: bool = False
    has_pages: bool = True
    has_daemon: bool = True

    def commands(self, workspace: Path) -> dict[str, list[str]]:
        """The command of each process, by its name."""
        pages = ["-m", "screening_pipeline.orchestration.pages", "--host", self.host, "--port", str(self.port)]
        pages += ["--workspace", str(workspace)]
        pages += [word for name in self.allowed for word in ("--allow-host", name)]
        pages += ["--path-prefix", self.path_prefix] if self.path_prefix else []
        pages += ["--read-only"] if self.is_read_only else []
        daemon = ["-m", "screening_pipeline.orchestration.daemon", "--workspace", str(workspace)]
        wanted = {"pages": self.has_pages, "daemon": self.has_daemon}
        found = {"pages": pages, "daemon": daemon}
        return {name: [sys.executable, *words] for name, words in found.items() if wanted[name]}


def serve(served: Served) -> int:
    """Run the processes until SIGTERM (0) or Ctrl-C (130), or until one of them ends by itself (3)."""
    from screening_pipeline.orchestration.instance import (
        BATCH_VARIABLE,
        EVENTS_AT_ONCE,
        make_storage,
        workspace_file,
    )

    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    workspace = workspace_file(settings.paths)
    make_storage(settings.paths)
    home = settings.paths.dagster.absolute()
    if served.has_pages:
        _require_free(served.host, served.port)
        if not is_loopback(served.host):
            console.warn("Dagster's pages know no users: put a login before them")
    environ = {BATCH_VARIABLE: str(EVENTS_AT_ONCE), **os.environ}
    environ |= {"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    running: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="screening-", ignore_cleanup_errors=True) as folder:
        try:
            with stoppable():
                if served.has_daemon:
                    workspace = _served_code(Path(folder), environ, running)
                for name, words in served.commands(workspace).items():
                    running[name] = _started(words, environ)
                return _watched(running, served)
        finally:
            _end(running.values())
    return 0


def _served_code(folder: Path, environ: dict[str, str], running: dict[str, subprocess.Popen[bytes]]) -> Path:
    """Have the code served at a socket in this folder of ours, by one of the `running`; the workspace that says so."""
    from screening_pipeline.orchestration.instance import CODE_LOCATION, CODE_MODULE, SERVED_YAML

    at = folder / "code"
    words = ["-m", "dagster", "code-server", "start", "--socket", str(at), "--module-name", CODE_MODULE]
    words += ["--location-name", CODE_LOCATION, "--use-python-environment-entry-point", "--log-level", "warning"]
    running["code"] = _started([sys.executable, *words], environ)
    while not at.exists():
        if (code := running["code"].poll()) is not None:
            raise EnvironmentFailed(f"the server of the code ended with {code}, see above", code="ended")
        SystemClock().sleep(_LOOK_EVERY_SECONDS)
    workspace = folder / "workspace.yaml"
    workspace.write_text(SERVED_YAML % json.dumps(str(at)))
    return workspace


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise EnvironmentFailed(f"port {port}: {problem.strerror}; try --port", code="port_taken") from None


def _started(words: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process in a group of its own: Ctrl-C in the terminal is for us alone, who then ends both. It dies with us."""
    return subprocess.Popen(  # noqa: S603 - ours
        words,
        env=environ,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread runs yet
    )


def _end_with_parent() -> None:
    """Have Linux send SIGTERM to this process when its parent has died, by SIGKILL as well; elsewhere nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _watched(running: dict[str, subprocess.Popen[bytes]], served: Served) -> int:
    is_told = not served.has_pages
    while True:
        for name, process in running.items():
            if process.poll() is not None:
                raise EnvironmentFailed(f"the {name} ended with {process.returncode}, see above", code="ended")
        if not is_told and _is_answering(served):
            console.say(f"Dagster    http://{served.host}:{served.port}{served.path_prefix}, Ctrl-C ends it")
            is_told = True
        SystemClock().sleep(_LOOK_EVERY_SECONDS)


def _is_answering(served: Served) -> bool:
    with suppress(OSError), socket.create_connection((served.host, served.port), timeout=1):
        return True
    return False


def _end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End the processes with all they have started: a run that is under way, for one, which the next ones make good."""
    found = list(processes)
    for process in found:
        _signal(process, signal.SIGTERM)
    until = SystemClock().monotonic() + _ENDING_SECONDS
    for process in found:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, until - SystemClock().monotonic()))
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to the group of a process, in which there may be others when it has ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
