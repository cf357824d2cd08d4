"""The HTML report: one file with its charts inside, which asks nothing of any network and runs no script."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import files
from screening_pipeline.base.failures import telling
from screening_pipeline.report import operations, turnaround
from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Names, collect
from screening_pipeline.report.page import Row

if TYPE_CHECKING:
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.warehouse.session import Connection

TITLE = "Background checks: how long they take"
SECTIONS = (
    turnaround.by_vendor,
    turnaround.by_package,
    turnaround.survival,
    turnaround.holders,
    turnaround.ageing,
    turnaround.promises,
    operations.decisions,
    operations.afterwards,
    operations.pulls,
    operations.quality,
)


def build_report(connection: Connection, *, generated_at: datetime) -> str:
    """The page as HTML text, from the analytics views of `connection` (live or a published snapshot)."""
    figures = collect(connection)
    names = Names(figures)
    closing = f"<p>Made on {html.moment(generated_at)} UTC.</p>"
    return html.page(TITLE, _intro(figures["scope"][0]), [part(figures, names) for part in SECTIONS], closing)


def write_report(connection: Connection, path: Path, *, generated_at: datetime) -> None:
    """Write the page to `path` atomically: readers see the old page or the new one, whole.

    Raises NotWritable, DiskFull.
    """
    content = build_report(connection, generated_at=generated_at).encode()
    with telling(path.name, len(content), path.parent):
        files.write_new(path, content)


def publish_report(connection: Connection, paths: Paths, *, generated_at: datetime) -> Path:
    """Write the page where analysts find it, readable by the group of that folder; its path. Raises as write_report."""
    write_report(connection, paths.report, generated_at=generated_at)
    files.share(paths.report)
    paths.earlier_report.unlink(missing_ok=True)
    return paths.report


def _intro(scope: Row) -> str:
    if scope["as_of"] is None:
        return '<p class="quiet">No vendor has told anything yet: there is nothing to report.</p>\n'
    stale = f', <span class="alarm">{scope["stale"]:,} of them stuck</span>' if scope["stale"] else ""
    return (
        f"<p>{scope['checks']:,} checks of {scope['accounts']:,} accounts, as known on "
        f"{html.escaped(scope['as_of'])}; {scope['open_checks']:,} are open{stale}.</p>\n"
    )
