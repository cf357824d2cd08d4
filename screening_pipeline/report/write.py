"""The HTML report: one file with its charts inside, which asks nothing of any network.

Its one script counts anew for what is chosen, and nothing else may run.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import files
from screening_pipeline.base.failures import telling
from screening_pipeline.report import front, operations, outlook, turnaround
from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Names, collect

if TYPE_CHECKING:
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.warehouse.session import Connection

TITLE = "Background checks: who holds us up"
SECTIONS = (
    outlook.ahead,
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
    """The page as HTML text, from the analytics views of `connection`.

    That is a published snapshot, or live where no transaction has written.
    """
    figures = collect(connection)
    names = Names(figures)
    closing = f"<p>Made on {html.moment(generated_at)} UTC.</p>"
    return html.page(TITLE, front.front(figures, names), [part(figures, names) for part in SECTIONS], closing)


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
