"""The command line in processes that need not import anything: each is forked from one that has imported it all.

A command that is started anew spends two thirds of its time importing. Here it is a process of its own all the same:
with its own folder, environment, streams and exit code. What only a start from nothing can show (`-m`, signals, a
terminal, what is imported when) is tried with such a start.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from runpy import run_module
from typing import IO, Any

import duckdb

ROOT = Path(__file__).parent.parent.parent
# What commands import when they run, the large ones above all.
IMPORTED = (
    "screening_pipeline.cli.app",
    "screening_pipeline.cli.commands",
    "screening_pipeline.definitions",
    "screening_pipeline.cli.doctor",
    "screening_pipeline.cycle.erase",
    "screening_pipeline.orchestration.runs",
    "screening_pipeline.orchestration.instance",
    "rich.table",
    "rich.progress",
    "pandas",
)


class Commands:
    """Runs commands one after the other; `environ` of a command is all that it sees of one."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(
        self, *words: str, folder: Path, environ: Mapping[str, str], said: str = "", seconds: int = 90
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. `said` is its standard input; after so many seconds it is ended by SIGALRM."""
        assert self._server.stdin
        assert self._server.stdout
        request = {"words": words, "folder": str(folder), "environ": dict(environ), "said": said, "seconds": seconds}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return subprocess.CompletedProcess(words, **json.loads(self._server.stdout.readline()))


@contextmanager
def serving_commands() -> Iterator[Commands]:
    """A process that has imported the pipeline, and forks one for each command."""
    # Whoever forks must not have threads.
    environ = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Commands(server)
        server.communicate()


def main() -> None:
    """Answer each line of standard input; a child leaves by the end of this function, as a command does."""
    with warnings.catch_warnings(action="ignore"):  # Dagster's own, about pydantic
        for name in IMPORTED:
            import_module(name)
    duckdb.default_connection().close()  # its threads, which no child would have, and would wait for at its end
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            said.write(request.pop("said").encode())
            said.seek(0)
            child = os.fork()
            if child == 0:
                _become(said, out, err, **request)
                return
            _, status = os.waitpid(child, 0)
            told = {"stdout": _read(out), "stderr": _read(err)}
        sys.stdout.write(json.dumps({"returncode": os.waitstatus_to_exitcode(status), **told}) + "\n")
        sys.stdout.flush()


def _become(
    said: IO[Any], out: IO[Any], err: IO[Any], *, words: list[str], folder: str, seconds: int, **given: Any
) -> None:
    """Be the command: raises the SystemExit that it ends with."""
    signal.alarm(seconds)
    for number, file in enumerate((said, out, err)):
        os.dup2(file.fileno(), number)
    streams = [open(number, mode, closefd=False) for number, mode in enumerate("rww")]  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = streams
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(given["environ"])
    random.seed()
    sys.argv[1:] = words
    run_module("screening_pipeline", run_name="__main__", alter_sys=True)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    main()
