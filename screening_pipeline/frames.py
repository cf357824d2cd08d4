"""For notebooks: the published snapshot as pandas DataFrames.

>>> from screening_pipeline import frames
>>> frames.turnaround()[["vendor", "median_days", "ci_low", "ci_high"]]  # doctest: +SKIP
>>> frames.read("from analytics.throughput")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import UsageError
from screening_pipeline.settings import load
from screening_pipeline.warehouse import session, store
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    import pandas as pd


def read(query: str, snapshot: Path | None = None) -> pd.DataFrame:
    """The rows of `query` in the published snapshot (by default of the configuration in force), as a DataFrame.

    Instants are in UTC. The snapshot is opened read-only and without a lock. Raises UsageError where there is none.
    """
    with _opened(snapshot) as connection:
        return session.frame(connection, query)


def _opened(snapshot: Path | None) -> AbstractContextManager[session.Connection]:
    engine = engine_of(load.load(os.environ, Path.cwd())) if snapshot is None else None
    place = engine.place if engine else str(snapshot)
    if not (engine.is_published() if engine else Path(place).exists()):
        raise UsageError(f"{place} is not there; `screening-pipeline sync` publishes it", code="nothing_published")
    return engine.reader() if engine else store.reader(Path(place))


def turnaround(snapshot: Path | None = None) -> pd.DataFrame:
    """How long checks take: one row per vendor as in `analytics.turnaround`, times in days, shares from 0 to 1."""
    return read("from analytics.turnaround order by vendor asc nulls last", snapshot)


def open_checks(snapshot: Path | None = None) -> pd.DataFrame:
    """The open checks, the oldest first: one row per check as in `analytics.open_check_ageing`, instants in UTC."""
    return read(
        "from analytics.open_check_ageing order by age_seconds desc nulls last, check_key asc nulls last", snapshot
    )


def eta(snapshot: Path | None = None) -> pd.DataFrame:
    """When open checks will end: one row per check as in `analytics.open_check_eta`, the likeliest to be late first.

    `days_p10` to `days_p90` are days from `made_at`, the instant at which it was foretold.
    """
    return read("from analytics.open_check_eta order by chance_late desc nulls last, p50 desc nulls last", snapshot)


def events(snapshot: Path | None = None) -> pd.DataFrame:
    """Every change of every check of analyzed accounts, in order: one row per event as in `star.fact_check_event`."""
    return read(
        "select e.* from star.fact_check_event as e inner join star.dim_account as a using (vendor, account) "
        "where a.is_analyzed order by e.check_key asc nulls last, e.event_seq asc nulls last",
        snapshot,
    )
