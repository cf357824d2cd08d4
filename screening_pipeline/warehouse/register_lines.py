"""The lines of the register of erasures as they stand: in the data folder, and where machines share one, there as well.

Each place has what the other has, line for line: a machine that comes new is told of all who were erased, and one that
is left knows them when the database is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import append_lines

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.landing.interface import Erasures
    from screening_pipeline.settings.paths import Paths

_SHARED = "screening_landing.erased"


def packed(line: Mapping[str, Any]) -> bytes:
    """A line as it is written, with its digest."""
    return json.dumps({**line, "digest": _digest_of(line)}).encode()


def append(paths: Paths, landing: Landing, line: bytes) -> None:
    """Append a line in each place, durably; where machines share one, there first."""
    if shared := landing.store.erasures:
        shared.keep([line])
    _append(paths, [line])


def bring_together(paths: Paths, landing: Landing) -> None:
    """Have each place have what the other has. Raises EnvironmentFailed where a line is damaged."""
    shared = landing.store.erasures
    if shared is None or shared.digests() == sorted({hashlib.sha256(line).hexdigest() for line in read(paths)}):
        return
    here, there = read(paths), shared.lines()
    parsed(here, paths.erasure_register.name)
    parsed(there, _SHARED)
    shared.keep(_missing(here, there))
    _append(paths, _missing(there, here))


def mark(shared: Erasures) -> str | None:
    """What changes with what machines share of it; None where nobody was erased."""
    digests = shared.digests()
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else None


def read(paths: Paths) -> list[bytes]:
    """The lines in the data folder; what has no end was never acted on."""
    path = paths.erasure_register
    with telling(path.name, folder=paths.data_dir):
        *lines, _ = path.read_bytes().split(b"\n") if path.exists() else (b"",)
    return lines


def parsed(lines: Iterable[bytes], place: str) -> list[dict[str, Any]]:
    """What lines say. Raises EnvironmentFailed where one is damaged, whichever key it was written with."""
    return [_parsed(text, place, number) for number, text in enumerate(lines, 1)]


def _append(paths: Paths, lines: Sequence[bytes]) -> None:
    if lines:
        with telling(paths.erasure_register.name, folder=paths.data_dir):
            append_lines(paths.erasure_register, lines)


def _missing(lines: Iterable[bytes], known: Sequence[bytes]) -> list[bytes]:
    had = set(known)
    return [line for line in dict.fromkeys(lines) if line not in had]


def _digest_of(line: Mapping[str, Any]) -> str:
    """By which a flipped letter is noticed: a hash with one would keep nobody out."""
    return hashlib.sha256(json.dumps(line).encode()).hexdigest()[:32]


def _parsed(text: bytes, place: str, number: int) -> dict[str, Any]:
    try:
        line = json.loads(text)
        digest = line.pop("digest", None)  # an earlier version wrote none
        if (
            digest in (None, _digest_of(line))
            and isinstance(line["key"], str)
            and isinstance(line["hashes"], list)
            and isinstance(line["erasure"], dict | None)
        ):
            return dict(line)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise EnvironmentFailed(
        f"{place}, line {number}, is damaged: it tells who was erased; restore it from a backup, or, where the "
        f"warehouse is whole, move it away: it is made anew from the warehouse",
        code="register_damaged",
    )
