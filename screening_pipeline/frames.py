"""For notebooks: the published snapshot as pandas DataFrames.

>>> from screening_pipeline import frames
>>> frames.read("from analytics.turnaround_by_vendor")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import UsageError
from screening_pipeline.settings import load
from screening_pipeline.warehouse import session, store

if TYPE_CHECKING:
    import pandas as pd


def read(query: str, snapshot: Path | None = None) -> pd.DataFrame:
    """The rows of `query` in the published snapshot (by default of the configuration in force), as a DataFrame.

    Instants are in UTC. The snapshot is opened read-only and without a lock. Raises UsageError where there is none.
    """
    path = snapshot or load.load(os.environ, Path.cwd()).paths.published
    if not path.exists():
        raise UsageError(f"{path} is not there; `screening-pipeline sync` publishes it", code="nothing_published")
    with store.reader(path) as connection:
        return session.frame(connection, query)
