"""The sandbox as a witness: what the star must say of each check, according to the vendors' side."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from screening_pipeline.sandbox.handle import Sandbox

Row = dict[str, Any]
Key = tuple[str, str, str]

WORDS = {
    "vendor_status": "status",
    "vendor_status_detail": "status_detail",
    "vendor_result": "result",
    "vendor_adjudication": "adjudication",
    "vendor_dispute": "dispute",
}
AXES = ("lifecycle", "result", "adjudication", "dispute", "next_actor")


def identity(row: Row) -> Key:
    """What a check is known by on both sides."""
    return row["vendor"], row["subject"], row["check_id"]


def expected(true: Row) -> Row:
    """The columns of star.fact_check that follow from what is true of a check."""
    said = {column: true["final"][word] for column, word in WORDS.items()}
    meant = {axis: true[axis] for axis in AXES}
    return said | meant | {"is_terminal": true["is_over"]}


def differences(sandbox: Sandbox, facts: Iterable[Row], *, without: Collection[str] = ()) -> list[str]:
    """Where the star and the vendors disagree now, one line for each check; `without` are ids left out.

    A backdated order that its customer has not announced yet is nobody's to know of.
    """
    now = sandbox.health()["now"]
    known = [row for row in sandbox.truth() if row["announced_at"] is None or row["announced_at"] <= now]
    found = {identity(row): row for row in facts if row["check_id"] not in without}
    true = {identity(row): expected(row) for row in known if row["check_id"] not in without}
    missing = [f"{'/'.join(one)}: not in the star" for one in true.keys() - found.keys()]
    invented = [f"{'/'.join(one)}: known to the star alone" for one in found.keys() - true.keys()]
    return sorted([*missing, *invented, *_wrong(true, found)])


def _wrong(true: dict[Key, Row], found: dict[Key, Row]) -> list[str]:
    wrong = []
    for one in true.keys() & found.keys():
        columns = [name for name, value in true[one].items() if found[one][name] != value]
        wrong += [f"{'/'.join(one)}: {', '.join(columns)}"] if columns else []
    return wrong
