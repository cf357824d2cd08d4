"""The report's figures: one query in `sql/report/` of the analytics views for each table or chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from screening_pipeline.report import page as html
from screening_pipeline.report.page import Row
from screening_pipeline.warehouse import catalog, computed, session, snapshot

Figures = Mapping[str, list[Row]]


def collect(connection: session.Connection) -> Figures:
    """The rows of every report query, by its name. Raises UsageError for a snapshot of an earlier version."""
    with snapshot.earlier_told(connection), computed.keeping(connection, _shared(connection)):
        return {name: session.rows(connection, query) for name, query in catalog.questions().items()}


def _shared(connection: session.Connection) -> Mapping[str, str]:
    """On each of these rest several figures, and they have few rows, read from all checks or calls.

    Of months those are enough that are shown; curves of all years would be half of the time.
    """
    found = connection.execute(catalog.statement("find_first_month")).fetchone()
    months = f"grain <> 'month' or month >= date '{found[0]}'" if found else ""
    return {"analytics.account_horizon": "", "analytics.turnaround_group": "", "analytics.group_summary": months}


def by_vendor_of(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """The rows grouped by vendor, in their order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["vendor"]].append(row)
    return found


class Names:
    """Display names of vendors; an unknown vendor keeps its slug."""

    def __init__(self, figures: Figures) -> None:
        self._names = {row["vendor"]: row["vendor_name"] for row in figures["vendors"]}

    def __getitem__(self, slug: str) -> str:
        return str(self._names.get(slug, slug))

    def column(self) -> html.Column:
        """The column that names the vendor."""
        return html.text("Vendor", "vendor", lambda slug: html.spoken(self[slug] if slug else None))

    def named(self, rows: Iterable[Row]) -> list[Row]:
        """The rows with the vendor's display name in place of its slug."""
        return [{**row, "vendor": self[row["vendor"]]} for row in rows]
