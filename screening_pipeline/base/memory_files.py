"""Anonymous files for DuckDB to read: without a name, removed by the kernel when the process ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def in_memory(content: bytes) -> Iterator[str]:
    """Context manager: a path at which this process reads `content` from memory, not from a disk where possible."""
    file: IO[bytes] = _in_memory() if hasattr(os, "memfd_create") else _on_disk()
    with file:
        file.write(content)
        file.flush()
        yield str(_path_of(file))


@contextmanager
def on_disk() -> Iterator[Path]:
    """Context manager: a path to an anonymous file on disk, to write and to read, for what is too large for memory."""
    with _on_disk() as file:
        yield _path_of(file)


def _in_memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("unnamed", os.MFD_CLOEXEC), "wb")


def _on_disk() -> IO[bytes]:
    """An anonymous temporary file; a named, owner-only one on systems without paths to open files."""
    return tempfile.TemporaryFile() if _OPEN_FILES.is_dir() else tempfile.NamedTemporaryFile()


def _path_of(file: IO[bytes]) -> Path:
    return _OPEN_FILES / str(file.fileno()) if _OPEN_FILES.is_dir() else Path(file.name)
