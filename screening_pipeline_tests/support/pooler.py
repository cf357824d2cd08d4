"""A pgbouncer of the tests' own, before a PostgreSQL of theirs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening_pipeline_tests.support import postgres

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


@contextmanager
def pooling(server: postgres.Server, pool_mode: str) -> Iterator[int]:
    """Context manager: a pooler of this mode; its port."""
    assert PROGRAM, "mark the test with skipif"
    with tempfile.TemporaryDirectory(prefix="screening-pooler-") as name:
        folder, port = Path(name), postgres.free_port()
        folder.chmod(0o755)
        (folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user=owner password={postgres.PASSWORD}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {pool_mode}\n"
        )
        with postgres.as_owner([PROGRAM, str(folder / "ini")], folder / "log") as process:
            try:
                postgres.await_server(port, process)
                yield port
            finally:
                process.terminate()
                process.wait(30)
