"""Open checks as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    index: dict[GroupKey, int] = {}
    rows = []
    for check in checks:
        lifecycle = model.presumed(check.vendor, check.lifecycle)
        package = check.package if model.knows(check.vendor, lifecycle, check.package) else None
        key = GroupKey(check.vendor, lifecycle, package)
        entered = check.state_since.timestamp()
        pulled = check.last_pulled_at.timestamp() if check.last_pulled_at else np.nan
        worst = check.wait_seconds or options.worst_case_seconds(check.vendor, check.lifecycle, check.subject)
        # A subscription is for years: the calendar says when to look, not the chance of news.
        is_by_calendar = check.wait_seconds is not None or check.subject in ONGOING
        least = worst if is_by_calendar else options.min_interval_seconds
        retry = check.retry_at.timestamp() if check.retry_at else np.nan
        rows.append((index.setdefault(key, len(index)), entered, pulled, worst, least, retry))
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    first = {vendor: model.prior_of(vendor).first_pull_seconds for vendor in {check.vendor for check in checks}}
    return OpenColumns(
        check_key=np.array([check.check_key for check in checks], dtype=np.int64),
        groups=tuple(index),
        group=table[:, 0].astype(np.int64),
        entered=table[:, 1],
        last_pulled=table[:, 2],
        is_push_fed=np.array([check.is_push_fed for check in checks], dtype=bool),
        is_requested=np.array([check.is_requested for check in checks], dtype=bool),
        least_wait=table[:, 4],
        worst_case=table[:, 3],
        first_pull=np.array([first[check.vendor] for check in checks], dtype=np.float64),
        retry=table[:, 5],
    )
