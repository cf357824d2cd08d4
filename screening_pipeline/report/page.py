"""The report's building blocks: escaped text, tables, figures, the page around them.

Whatever comes from a vendor or a customer is hostile until it has passed `escaped`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape, unescape
from importlib.resources import files
from typing import Any

from screening_pipeline.base.text import span_in_words

Row = dict[str, Any]
NOTHING = "–"
# Nothing may be fetched or sent, and nothing run but our own script, whatever a vendor's words contain.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src 'sha256-{}'"


def escaped(value: object) -> str:
    """`value` as escaped HTML text; invisible characters are shown by their code point."""
    return escape(shown(value) or "")


def shown(value: object) -> str | None:
    """`value` as text in which invisible characters are shown by their code point; None stays."""
    return None if value is None else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(value))


def span(seconds: float | None) -> str:
    """A duration in seconds as text."""
    return NOTHING if seconds is None else span_in_words(seconds)


def days(number: float | None) -> str:
    """A number of business days as text."""
    return NOTHING if number is None else f"{number:.1f}".removesuffix(".0")


def share(part: float | None) -> str:
    """A share (0 to 1) as text in percent; near 0 and 1 it is never rounded to them."""
    if part is None:
        return NOTHING
    if 0 < part < 0.001:
        return "<0.1 %"
    if 0.999 < part < 1:
        return ">99.9 %"
    return f"{100 * part:.1f} %".replace(".0 %", " %")


def number(value: float | None) -> str:
    """A count, or an average with one decimal, as text."""
    if value is None:
        return NOTHING
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def moment(value: Any) -> str:
    """An instant as text, to the minute."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def words(value: object) -> str:
    """Untrusted text, escaped."""
    return escaped(value) or NOTHING


def spoken(value: object) -> str:
    """A word of our own vocabulary as text for people, without underscores."""
    return escaped(value).replace("_", " ") or NOTHING


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and a row's cell as HTML. Its kind says how cells are set."""

    heading: str
    cell: Callable[[Row], str]
    kind: str = "number"


def text(heading: str, key: str, show: Callable[[Any], str] = words) -> Column:
    """A table column of text; foreign words may break anywhere, ours stay in one piece."""
    return Column(heading, lambda row: show(row[key]), "foreign" if show is words else "word")


def remark(say: Callable[[Row], str], heading: str = "Remark") -> Column:
    """A table column of remarks, computed by `say` from each row."""
    return Column(heading, say, "word")


def note(heading: str, key: str) -> Column:
    """A table column of sentences, which may take several lines."""
    return Column(heading, lambda row: escaped(row[key]), "note")


def figures(heading: str, key: str, show: Callable[[Any], str] = number) -> Column:
    """A table column of numbers."""
    return Column(heading, lambda row: show(row[key]))


def bounded(heading: str, key: str, least: str, show: Callable[[Any], str] = span) -> Column:
    """A table column of numbers, with their lower bound where it differs."""

    def cell(row: Row) -> str:
        told, lower = show(row[key]), show(row[least])
        return told if lower == told else f"{told}<small>at least {lower}</small>"

    return Column(heading, cell)


def between(heading: str, key: str, low: str, high: str) -> Column:
    """A table column of durations, with their lower and upper bounds where they differ."""

    def cell(row: Row) -> str:
        told, bounds = span(row[key]), (span(row[low]), span(row[high]))
        return told if bounds == (told, told) else f"{told}<small>{bounds[0]} to {bounds[1]}</small>"

    return Column(heading, cell)


def parts(cell: str) -> list[str]:
    """A cell's HTML as text without markup: what it says, and its small print, where it has any."""
    told, _, small = cell.partition("<small>")
    return [unescape(told), unescape(small.removesuffix("</small>"))] if small else [unescape(told)]


def table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """An HTML table that scrolls sideways where the screen is narrow."""
    if not rows:
        return nothing()
    head = "".join(f'<th class="{column.kind}">{escaped(column.heading)}</th>' for column in columns)
    body = "".join(f"<tr>{_cells(row, columns)}</tr>\n" for row in rows)
    return scrolling(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>")


def scrolling(content: str) -> str:
    """HTML that scrolls sideways where the screen is narrow, also by keys."""
    return f'<div class="scroll" tabindex="0">{content}</div>\n'


def _cells(row: Row, columns: Sequence[Column]) -> str:
    return "".join(f'<td class="{column.kind}">{column.cell(row)}</td>' for column in columns)


def nothing() -> str:
    """The HTML placeholder for an empty table or chart."""
    return '<p class="quiet">Nothing to show yet.</p>\n'


def charts(drawings: Iterable[tuple[str, str, str]]) -> str:
    """HTML figures side by side: title, SVG and a note (may be empty) of each."""
    figures = "".join(_figure(*drawing) for drawing in drawings)
    return f'<div class="charts">\n{figures}</div>\n' if figures else ""


def _figure(title: str, svg: str, note: str) -> str:
    small = f"<small>{escaped(note)}</small>" if note else ""
    label = escaped(f"{title}. {note}".strip())
    return (
        f"<figure><figcaption>{escaped(title)}{small}</figcaption>\n"
        f'<div role="img" aria-label="{label}">{svg}</div></figure>\n'
    )


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, title, introduction, how it is counted (folded), and HTML."""

    anchor: str
    title: str
    lead: str
    method: str
    body: str


def page(title: str, intro: str, sections: Sequence[Section], closing: str) -> str:
    """The whole HTML page. `intro` and `closing` are HTML, the other words are plain text."""
    links = "".join(f'<a href="#{part.anchor}">{escaped(part.title)}</a>\n' for part in sections)
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(_digest())}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{_stylesheet()}</style>\n</head>\n<body>\n"
        f"<header><h1>{escaped(title)}</h1>\n{intro}</header>\n<nav>\n{links}</nav>\n<main>\n"
        f"{''.join(map(_section, sections))}</main>\n<footer>{closing}</footer>\n"
        f"<script>{_script()}</script>\n</body>\n</html>\n"
    )


def _section(part: Section) -> str:
    return (
        f'<section id="{part.anchor}">\n<h2>{escaped(part.title)}</h2>\n'
        f"<p>{escaped(part.lead)}</p>\n"
        f"<details><summary>How this is counted</summary><p>{escaped(part.method)}</p></details>\n"
        f"{part.body}</section>\n"
    )


def _stylesheet() -> str:
    return _template("report.css")


def _script() -> str:
    return _template("report.js")


@cache
def _digest() -> str:
    return b64encode(sha256(_script().encode()).digest()).decode()


@cache
def _template(name: str) -> str:
    return files("screening_pipeline").joinpath("templates", name).read_text(encoding="utf-8")
