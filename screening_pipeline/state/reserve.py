"""A reserve of room on the disk, so that the shared state can still be written when the disk is full.

What is at stake is small and worth it: a silence that a vendor has asked for, an account that was stopped, calls that
count against a limit.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from screening_pipeline.base.failures import free_bytes, is_full

RESERVE_BYTES = 1024 * 1024
_PLENTY_BYTES = 16 * RESERVE_BYTES


def reserve_of(state: Path) -> Path:
    """The file that holds the reserve of the shared state at `state`."""
    return state.with_name(f"{state.stem}.reserve")


def keep_reserve(state: Path) -> None:
    """Take the reserve where there is none and plenty of room; a disk that cannot give it does without."""
    reserve = reserve_of(state)
    with suppress(OSError):
        if reserve.exists() or free_bytes(state.parent) < _PLENTY_BYTES:
            return
        file = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, bytes(RESERVE_BYTES))  # zeros that are written are room, on every file system
        finally:
            os.close(file)


def give_way(state: Path) -> None:
    """Free the reserve if the disk is full, for what is about to be written."""
    if is_full(state.parent):
        reserve_of(state).unlink(missing_ok=True)
