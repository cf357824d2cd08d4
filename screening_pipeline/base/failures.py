"""What the machine refuses, in our own words: one translation of the operating system's errors for everybody."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening_pipeline.base.errors import DiskFull, EnvironmentFailed, NotWritable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


@contextmanager
def telling(where: str, needed_bytes: int = 0, folder: Path | None = None) -> Iterator[None]:
    """Turn what the operating system says into DiskFull, NotWritable or EnvironmentFailed, naming `where`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full(where, folder, needed_bytes) from None
        reason = error.strerror or type(error).__name__
        if error.errno in _FORBIDDEN:
            raise NotWritable(where, reason) from None
        raise EnvironmentFailed(f"{where}: {reason}", code="io") from None


def disk_full(where: str, folder: Path | None, needed_bytes: int) -> DiskFull:
    """The error of a disk that does not take `needed_bytes`, with what is free in `folder`."""
    return DiskFull(where, needed_bytes=needed_bytes, free_bytes=free_bytes(folder) if folder else 0)


def free_bytes(folder: Path) -> int:
    """What we may still write on the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
