"""The head of the page: who holds us up, in figures, one sentence, bars, and a list that can be filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from screening_pipeline.report import filters
from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Figures, Names
from screening_pipeline.report.page import Row

# Who holds a check, as the sentence says it; colours are those of the charts.
HOLDERS = {
    "vendor": "vendors",
    "candidate": "candidates",
    "client": "you",
    "client_or_candidate": "you or candidates",
    "unknown": "nobody known",
}
_FOR = {
    "vendor": " for its vendor",
    "candidate": " for a candidate",
    "client": " for you",
    "client_or_candidate": " for you or a candidate",
    "unknown": "",
}
_COLOURS = {
    "vendor": "series-1",
    "candidate": "series-2",
    "client": "series-3",
    "client_or_candidate": "series-4",
    "unknown": "quiet",
}
_LISTED = 12


def front(figures: Figures, names: Names) -> str:
    """The head of the page as HTML, from the rows of the report's queries."""
    scope, held = figures["scope"][0], _known(figures["held"])
    if scope["as_of"] is None:
        return '<p class="quiet">No vendor has told anything yet: there is nothing to report.</p>\n'
    counts = Counter({row["phase"]: 0 for row in figures["holders"]})
    for row in figures["holders"]:
        counts[_holder(row["phase"])] += row["n"]
    return (
        f'<div id="front">\n{_sandbox(figures)}'
        f'<p id="sentence" aria-live="polite">{html.escaped(_sentence(held, counts, names))}</p>\n'
        f"{_strip(figures, scope)}"
        f"{filters.head(figures, names)}"
        f"{_bar('held-bar', 'Who holds the open checks', counts)}{_whose(figures['whose'])}"
        f"{_longest(held, names)}{_data(held, names)}</div>\n"
    )


def _known(rows: Iterable[Row]) -> list[Row]:
    return [{**row, "holder": _holder(row["holder"])} for row in rows]


def _holder(word: str | None) -> str:
    return word if word in HOLDERS else "unknown"


def _sandbox(figures: Figures) -> str:
    if {row["environment"] for row in figures["environments"]} != {"sandbox"}:
        return ""
    return '<p class="sandbox">Sandbox: nobody in it is real.</p>\n'


# ── figures ────────────────────────────────────────────────────────────────────────────────────────


def _strip(figures: Figures, scope: Row) -> str:
    told = {row["label"]: row for row in figures["strip"]}
    now, before = told.get("now", {}), told.get("before", {})
    promised, stuck_before = figures["promised"][0], figures["stuck_before"][0]
    more = round(promised["expected"] or 0)
    expected = f"{more or 'none'} more expected in two weeks"
    broken_before = figures["promised_before"][0]["broken"] if before.get("open") else None
    stuck = _compared(scope["stale"], stuck_before["stuck"] if stuck_before["open"] else None)
    broken = _compared(promised["broken"], broken_before)
    day, _, clock = str(scope["as_of"]).partition(", ")
    tiles = [
        ("Median, last 30 days", html.span(now.get("median")), _change(now, before, "median")),
        ("Open", html.number(scope["open_checks"]), _change(now, before, "open")),
        ("Stuck", html.number(scope["stale"]), f"longer in a state than usual; {stuck}"),
        ("Promises broken, open", html.number(promised["broken"]), f"{broken}; {expected}"),
        ("Completed, last 30 days", html.number(now.get("completed")), _change(now, before, "completed")),
        ("As of", html.escaped(day), f"{clock}; {scope['checks']:,} checks of {scope['accounts']:,} accounts"),
    ]
    cells = "".join(_tile(*tile) for tile in tiles)
    return f'<dl class="strip">\n{cells}</dl>\n'


def _tile(title: str, value: str, note: str) -> str:
    return f"<div><dt>{title}</dt><dd>{value}<small>{note}</small></dd></div>\n"


def _change(now: Row, before: Row, name: str) -> str:
    """The change of a figure of the strip against thirty days before."""
    return _compared(now.get(name), before.get(name) or None, html.span if name == "median" else html.number)


def _compared(new: float | None, old: float | None, told: Callable[[float], str] = html.number) -> str:
    """The change against thirty days before; where nothing is known of then (None), that."""
    if new is None or old is None:
        return "nothing to compare with yet"
    if new == old:
        return "as 30 days before"
    return f"{'▲' if new > old else '▼'} {told(abs(new - old))} against 30 days before"


# ── one sentence ───────────────────────────────────────────────────────────────────────────────────


def _sentence(held: list[Row], counts: Mapping[str, int], names: Names) -> str:
    total = sum(counts.values())
    if not total:
        return "No check is open."
    parts = [_part(holder, counts[holder]) for holder in HOLDERS if counts.get(holder)]
    oldest = next((row for row in held if row["age_seconds"] is not None), None)
    age = f"; the oldest waits {html.span(oldest['age_seconds'])}{_FOR[oldest['holder']]}" if oldest else ""
    age += f" ({names[oldest['vendor']]})" if oldest else ""
    return f"{total:,} {'check is' if total == 1 else 'checks are'} open: {', '.join(parts)}{age}."


def _part(holder: str, count: int) -> str:
    return f"of {count:,} nobody is known" if holder == "unknown" else f"{HOLDERS[holder]} hold {count:,}"


# ── bars ───────────────────────────────────────────────────────────────────────────────────────────


def _bar(anchor: str, title: str, counts: Mapping[str, float], *, is_share: bool = False) -> str:
    """A bar in exact proportions, and below it what its parts are."""
    total = sum(counts.values())
    if not total:
        return ""
    parts = {holder: counts.get(holder, 0) for holder in HOLDERS}
    bar = "".join(_piece("i", holder, count, "") for holder, count in parts.items())
    words = {holder: html.share(count / total) if is_share else f"{count:,}" for holder, count in parts.items()}
    legend = "".join(
        _piece("span", holder, count, f"{HOLDERS[holder]} <b>{words[holder]}</b>") for holder, count in parts.items()
    )
    return (
        f'<h2 class="bar-title">{title}</h2>\n<div id="{anchor}"><div class="bar" aria-hidden="true">{bar}</div>\n'
        f'<p class="legend">{legend}</p></div>\n'
    )


def _piece(element: str, holder: str, count: float, content: str) -> str:
    hidden = "" if count else " hidden"
    style = f"flex-grow:{count:.0f};--mark:var(--{_COLOURS[holder]})"
    return f'<{element} data-holder="{holder}" style="{style}"{hidden}>{content}</{element}>'


def _whose(rows: list[Row]) -> str:
    seconds = {_holder(row["phase"]): float(row["seconds"] or 0) for row in rows}
    return _bar("whose-bar", "Whose time it was, of closed checks", seconds, is_share=True)


# ── the list, and what it is filtered by ───────────────────────────────────────────────────────────


def _longest(held: list[Row], names: Names) -> str:
    columns = [
        names.column(),
        html.text("Held by", "holder", lambda holder: html.escaped(HOLDERS[holder])),
        html.figures("Age", "age_seconds", html.span),
        html.figures("In this state", "held_seconds", html.span),
        html.text("State", "lifecycle", html.spoken),
        html.remark(lambda row: '<span class="alarm">stuck</span>' if row["is_stale"] else "", "Remark"),
        html.text("Package", "package"),
        html.text("Check", "check_id"),
    ]
    return (
        f'<h2 class="bar-title">Waiting longest</h2>\n<div id="longest">{html.table(held[:_LISTED], columns)}</div>\n'
    )


def _data(held: list[Row], names: Names) -> str:
    """The open checks for the script."""
    rows = [
        {
            "vendor": row["vendor"],
            "name": html.shown(names[row["vendor"]]),
            "package": html.shown(row["package"]),
            "month": row["month"],
            "country": html.shown(row["country"]),
            "holder": row["holder"],
            "id": html.shown(row["check_id"]),
            "state": str(row["lifecycle"]).replace("_", " "),
            "age": row["age_seconds"],
            "held": row["held_seconds"],
            "stuck": bool(row["is_stale"]),
        }
        for row in held
    ]
    return filters.data("held", rows)
