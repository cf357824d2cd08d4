"""Report section on what is to come: starts at risk, promises that will break, and who has become slower."""

from __future__ import annotations

from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Figures, Names
from screening_pipeline.report.page import Row


def ahead(figures: Figures, names: Names) -> html.Section:
    """Report section: what will probably be late, the surest first."""
    starts, weeks, slow = figures["starts"], figures["breach_weeks"], figures["slowdown"]
    total = starts[0]["starts"] if starts else 0
    parts = [
        _told(f"Needed before they will be there: {total:,}", starts, _start_columns(names)),
        _told("Promises that will break", weeks, _week_columns(names)),
        _told("Slower than before", slow, _slow_columns(names)),
    ]
    return html.Section(
        "ahead",
        "What is ahead",
        "What will probably be late, the surest first.",
        "Forecast from how long such checks have stayed in each state, by working time, and how fast they have left it "
        "of late. Listed are checks that are needed by a day and complete before it with a chance below 80 %.",
        "".join(parts) or html.nothing(),
    )


def _told(heading: str, rows: list[Row], columns: list[html.Column]) -> str:
    return f"<h3>{heading}</h3>\n{html.table(rows, columns)}" if rows else ""


def _start_columns(names: Names) -> list[html.Column]:
    return [
        names.column(),
        html.text("Check", "check_id"),
        html.text("State", "lifecycle", html.spoken),
        html.text("Who has to act", "next_actor", html.spoken),
        html.text("Needed by", "needed_by"),
        html.figures("In time", "chance_in_time", html.share),
        html.text("Probably there", "p50", html.moment),
        html.text("Nine in ten by", "p90", html.moment),
    ]


def _week_columns(names: Names) -> list[html.Column]:
    return [
        names.column(),
        html.text("Due in the week from", "week"),
        html.figures("Due", "n"),
        html.figures("Will break", "expected", html.days),
        html.figures("At least", "low", html.days),
        html.figures("At most", "high", html.days),
    ]


def _slow_columns(names: Names) -> list[html.Column]:
    return [
        names.column(),
        html.text("State", "state", html.spoken),
        html.figures("Left it of late", "n_left"),
        html.figures("Expected", "expected", html.days),
        html.figures("Times as slow", "times", html.days),
    ]
