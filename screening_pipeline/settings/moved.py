"""The marker of a data folder whose world was moved elsewhere: whatever starts there says where it went, and ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import write_new

if TYPE_CHECKING:
    from screening_pipeline.settings.paths import Paths


def mark(paths: Paths, to: str, at: str) -> None:
    """Note that all of it is at `to` since the instant `at`. Raises DiskFull, NotWritable."""
    with telling(paths.moved.name, folder=paths.data_dir):
        write_new(paths.moved, json.dumps({"to": to, "at": at}).encode() + b"\n")


def require_here(paths: Paths) -> None:
    """Raise UsageError where the world of this data folder was moved elsewhere."""
    if paths.moved.exists():
        refuse(str(paths.data_dir), _place(paths))


def _place(paths: Paths) -> str:
    try:
        told = json.loads(paths.moved.read_bytes())
        return f"{told['to']} at {told['at']}"
    except (OSError, ValueError, KeyError, TypeError):  # whoever damaged it: it is not here all the same
        return "another place"


def refuse(what: str, to: str) -> NoReturn:
    """Raise UsageError: it was moved `to` there."""
    told = f"{what} was moved to {to}: work there. Moving it back is a move from there to an empty data folder"
    raise UsageError(told, code="moved")
