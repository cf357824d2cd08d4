"""Open checks as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from screening_pipeline.domain.vocabulary import ONGOING
from screening_pipeline.planning.histogram import GroupKey
from screening_pipeline.planning.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening_pipeline.planning.inputs import OpenCheck, PlanOptions

    Floats = NDArray[np.float64]
    Indexes = NDArray[np.int64]
    Flags = NDArray[np.bool_]


REQUESTED, NEW, CHANCE, WORST_CASE, IN_VAIN = range(5)


@dataclass(frozen=True)
class OpenColumns:
    """The open checks of one account as numpy columns; instants are seconds since 1970, NaN where there is none."""

    check_key: Indexes
    groups: tuple[GroupKey, ...]
    group: Indexes
    entered: Floats
    last_pulled: Floats
    is_push_fed: Flags
    is_requested: Flags
    least_wait: Floats
    worst_case: Floats
    first_pull: Floats
    retry: Floats

    def taken(self, chosen: Indexes) -> OpenColumns:
        """Return the columns of the chosen checks (indexes or a mask)."""
        rest = {name: getattr(self, name)[chosen] for name in self.__dataclass_fields__ if name != "groups"}
        return OpenColumns(groups=self.groups, **rest)

    def __len__(self) -> int:
        """Count the checks."""
        return len(self.check_key)


def columns_of(checks: Sequence[OpenCheck], model: Model, options: PlanOptions) -> OpenColumns:
    """Return open checks as numpy columns, with the model's and the options' limits looked up."""
    seconds = {
        name: np.array([_seconds(getattr(check, name)) for check in checks])
        for name in ("state_since", "last_pulled_at", "retry_at", "wait_seconds")
    }
    kinds = [Kind(check.vendor, check.lifecycle, check.package, check.subject) for check in checks]
    rows = OpenRows(
        check_key=np.array([check.check_key for check in checks], dtype=np.int64),
        kinds=kinds,
        is_push_fed=np.array([check.is_push_fed for check in checks], dtype=bool),
        is_requested=np.array([check.is_requested for check in checks], dtype=bool),
        **seconds,
    )
    return looked_up(rows, model, options)


def _seconds(value: datetime | float | None) -> float:
    if value is None:
        return np.nan
    return value if isinstance(value, int | float) else value.timestamp()


class Kind(NamedTuple):
    """What the limits of a check are looked up by."""

    vendor: str
    lifecycle: str
    package: str | None
    subject: str


@dataclass(frozen=True, kw_only=True)
class OpenRows:
    """Open checks as `OpenCheck` has them, by column; instants are seconds since 1970, NaN where there is none."""

    check_key: Indexes
    kinds: Sequence[tuple[str, str, str | None, str]]
    state_since: Floats
    last_pulled_at: Floats
    retry_at: Floats
    wait_seconds: Floats
    is_push_fed: Flags
    is_requested: Flags


def looked_up(rows: OpenRows, model: Model, options: PlanOptions) -> OpenColumns:
    """The columns, with what the model and the options say of each kind."""
    places: dict[tuple[str, str, str | None, str], int] = {}
    kind = np.array([places.setdefault(one, len(places)) for one in rows.kinds], dtype=np.int64)
    known, index = list(map(Kind._make, places)), dict[GroupKey, int]()
    groups = [index.setdefault(_group(one, model), len(index)) for one in known]
    worst = [options.worst_case_seconds(one.vendor, one.subject) for one in known]
    # A subscription is for years: the calendar says when to look, not the chance of news.
    is_ongoing = np.array([one.subject in ONGOING for one in known], dtype=bool)[kind]
    is_told = ~np.isnan(rows.wait_seconds)
    worst_case = np.where(is_told, rows.wait_seconds, np.array(worst)[kind])
    first = [model.prior_of(one.vendor).first_pull_seconds for one in known]
    return OpenColumns(
        check_key=rows.check_key,
        groups=tuple(index),
        group=np.array(groups, dtype=np.int64)[kind],
        entered=rows.state_since,
        last_pulled=rows.last_pulled_at,
        is_push_fed=rows.is_push_fed,
        is_requested=rows.is_requested,
        least_wait=np.where(is_told | is_ongoing, worst_case, options.min_interval_seconds),
        worst_case=worst_case,
        first_pull=np.array(first)[kind],
        retry=rows.retry_at,
    )


def _group(kind: Kind, model: Model) -> GroupKey:
    lifecycle = model.presumed(kind.vendor, kind.lifecycle)
    return GroupKey(kind.vendor, lifecycle, kind.package if model.knows(kind.vendor, lifecycle, kind.package) else None)
