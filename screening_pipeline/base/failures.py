"""Operating system errors translated into this program's own errors, in one place."""

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
    """Context manager: translates OSError into DiskFull, NotWritable or EnvironmentFailed that names `where`."""
    try:
        yield
    except OSError as error:
        if is_out_of_room(error):
            raise disk_full(where, folder, needed_bytes) from None
        reason = error.strerror or type(error).__name__
        if error.errno in _FORBIDDEN:
            raise NotWritable(where, reason) from None
        raise EnvironmentFailed(f"{where}: {reason}", code="io") from None


def is_out_of_room(error: OSError) -> bool:
    """Whether the disk, the quota or the largest size of a file was reached."""
    return error.errno in _FULL


def disk_full(where: str, folder: Path | None, needed_bytes: int) -> DiskFull:
    """The DiskFull error for a write of `needed_bytes`, with the free space of `folder` in its message."""
    return DiskFull(where, needed_bytes=needed_bytes, free_bytes=free_bytes(folder) if folder else 0)


def is_full(folder: Path, needed_bytes: int = 65536) -> bool:
    """Whether the disk of a folder has no room for that much, or for another file."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < needed_bytes or (found.f_files > 0 and found.f_favail == 0)


def free_bytes(folder: Path) -> int:
    """Bytes that this process may still write on the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
