"""What the page is filtered by: one form at its head and one at turnaround, which choose together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Figures, Names
from screening_pipeline.report.page import Row

Choices = Mapping[str, Mapping[str, str]]


def head(figures: Figures, names: Names) -> str:
    """The form at the head of the page, as HTML; of what there is more than one of."""
    found = _choices([*figures["held"], *figures["groups"]], names)
    return _form("filters", ("vendor", "package", "month", "country"), found)


def chosen_turnaround(figures: Figures, names: Names) -> str:
    """The form at turnaround, the table of what is chosen, hidden until something is, and its rows as data."""
    rows = figures["groups"]
    form = _form("turnaround-filters", ("vendor", "package", "month"), _choices(rows, names))
    headings = ("Vendor", "Package", "Ordered in", *(column.heading for column in pace_columns()))
    head = "".join(f'<th class="{_kind(at)}">{html.escaped(told)}</th>' for at, told in enumerate(headings))
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n</tbody>\n</table>"
    return (
        f'{form}<div id="chosen" hidden>\n<p class="quiet" aria-live="polite"></p>\n'
        f"{html.scrolling(table)}</div>\n{data('groups', [_packed(row, names) for row in rows])}"
    )


def pace_columns() -> list[html.Column]:
    """The columns that say how long checks take, of a vendor or of any group of its checks."""
    return [
        html.between("Median", "median", "median_low", "median_high"),
        html.remark(_interval, "95 % interval"),
        html.between("90 in 100", "ninety", "ninety_low", "ninety_high"),
        html.figures("Ordered", "n"),
        html.figures("Complete", "n_completed"),
        html.figures("Open", "n_open"),
        html.note("Note", "note"),
    ]


def _interval(row: Row) -> str:
    low, high = row["interval_low"], row["interval_high"]
    if low is None and high is None:
        return html.NOTHING
    return f"{html.span(low or 0)} to {html.span(high)}" if high is not None else f"from {html.span(low)}"


def _kind(at: int) -> str:
    return ("word", "foreign", "word")[at] if at < 3 else pace_columns()[at - 3].kind


def _packed(row: Row, names: Names) -> dict[str, Any]:
    """A row as the script shows it: by what it is chosen, and the text of its cells, each with its small print."""
    cells = [html.parts(column.cell(row)) for column in pace_columns()]
    shown = {"vendor": row["vendor"], "package": html.shown(row["package"]), "month": row["month"]}
    return {**shown, "name": html.shown(names[row["vendor"]]), "cells": cells}


def data(anchor: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows for the script, in a block that is no script; nothing in it can end the block."""
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":"), default=float)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{anchor}">{text}</script>\n'


def _choices(rows: Iterable[Row], names: Names) -> Choices:
    found: dict[str, dict[str, str]] = {"vendor": {}, "package": {}, "month": {}, "country": {}}
    for row in rows:
        for name, known in found.items():
            value = row.get(name)
            if value is not None:
                known[str(html.shown(value))] = names[value] if name == "vendor" else str(value)
    return found


def _form(anchor: str, wanted: Collection[str], choices: Choices) -> str:
    shown = "".join(_select(name, choices[name]) for name in wanted if len(choices[name]) > 1)
    return f'<form id="{anchor}" class="filters" hidden>{shown}</form>\n'


def _select(name: str, values: Mapping[str, str]) -> str:
    known = sorted((told, value) for value, told in values.items())
    options = "".join(f'<option value="{html.escaped(value)}">{html.escaped(told)}</option>' for told, value in known)
    return f'<label>{name.capitalize()} <select name="{name}"><option value="">all</option>{options}</select></label>\n'
