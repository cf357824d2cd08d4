"""Order files that lie in a bucket or a mounted folder, copied to where they are read.

What was copied and is gone there goes here, too; files that somebody put here stay.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import make_folder, write_new

if TYPE_CHECKING:
    from screening_pipeline.landing.objects import Objects


def copy_orders(objects: Objects, folder: Path, note: Path) -> None:
    """Have `folder` hold what the place holds now; `note` keeps by which marks. Raises EnvironmentFailed, DiskFull."""
    wanted = {name: mark for name, mark in objects.names().items() if _is_safe(name)}
    known = _noted(note)
    for name, mark in wanted.items():
        if known.get(name) != mark or not (folder / name).exists():
            _copy(objects, name, folder)
    with telling("orders", folder=folder):
        for name in known.keys() - wanted.keys():
            (folder / name).unlink(missing_ok=True)
        if wanted != known:
            write_new(note, json.dumps(wanted).encode())


def marks(note: Path) -> dict[str, list[int]]:
    """The mark of each file that was copied, the same on every machine."""
    return {name: [zlib.crc32(mark.encode())] for name, mark in _noted(note).items()}


def _copy(objects: Objects, name: str, folder: Path) -> None:
    content = objects.get(name)
    with telling("orders", len(content), folder):
        make_folder((folder / name).parent)
        write_new(folder / name, content)


def _is_safe(name: str) -> bool:
    """Whether it is the name of a file that can only lie below the folder; a folder of a bucket is none."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and not name.endswith("/") and not {"..", "."} & {*parts}


def _noted(note: Path) -> Mapping[str, str]:
    try:
        return dict(json.loads(note.read_bytes()))
    except (OSError, ValueError):
        return {}
