"""Whether the files of a lake are all there, and are as they were written: each is sealed, and no flipped bit opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, NamedTuple

from screening_pipeline.base import bucket
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import failures, session

if TYPE_CHECKING:
    from screening_pipeline.warehouse.lake_catalogue import Catalogue
    from screening_pipeline.warehouse.session import Connection


class DamagedFile(NamedTuple):
    """A file of a lake, by its name below the lake's folder, and what is wrong with it."""

    name: str
    reason: str


def damaged_files(
    connection: Connection, catalogue: Catalogue, data_path: str, is_over: Callable[[], bool]
) -> Iterator[DamagedFile]:
    """Files that the last state of a lake needs and that are gone, cut, or not as they were written.

    All are looked for; they are read in an order by chance, as many as there is time for.
    """
    known, there = catalogue.files(), _sizes(data_path, catalogue.named_by)
    sound = []
    for name, size, key in known:
        if (reason := _missing(size, there.get(name))) is None:
            sound.append((name, key))
        else:
            yield DamagedFile(name, reason)
    SystemRandom().shuffle(sound)
    for name, key in sound:
        if is_over():
            return
        if not _is_readable(connection, f"{data_path.rstrip('/')}/{name}", key):
            yield DamagedFile(name, "is not what was written")


def _missing(known: int, there: int | None) -> str | None:
    if there is None:
        return "is gone"
    return None if there == known else f"has {there:,} of its {known:,} bytes"


def _sizes(data_path: str, where: str) -> dict[str, int]:
    if bucket.is_bucket(data_path):
        return bucket.sizes(data_path, where)
    root = Path(data_path)
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in root.rglob("*.parquet")}


def _is_readable(connection: Connection, file: str, key: str) -> bool:
    sealed = f"encryption_config = {{footer_key_value: from_base64({quote(key)})}}" if key else "union_by_name = false"
    try:
        with session.apart(connection) as beside:  # a reader's transaction would end with the first that fails
            beside.execute(f"select bit_xor(hash(p)) from read_parquet({quote(file)}, {sealed}) as p").fetchall()
    except session.DatabaseError as problem:
        if failures.is_out_of_reach(problem):
            raise
        return False
    return True
