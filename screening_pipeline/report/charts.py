"""The report's charts: rows in, one inline SVG out. No script, no network, the colours of the page's theme.

Colours are drawn as place-holders and then become CSS variables of the page, so that one drawing serves
light, dark and paper. Charts are as wide as a phone; wider screens put several side by side.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

Row = Mapping[str, Any]

WIDTH = 240
FONT_SIZE = 12
INK, QUIET, RULE, PAPER = "#0a0001", "#0a0002", "#0a0003", "#0a0004"
SERIES = tuple(f"#0a00{number:02x}" for number in range(0x11, 0x19))
PHASES = {
    "vendor": SERIES[0],
    "candidate": SERIES[1],
    "client": SERIES[2],
    "client_or_candidate": SERIES[3],
    "unknown": QUIET,
}
PHASE_NAMES = {
    "vendor": "vendor",
    "candidate": "candidate",
    "client": "client",
    "client_or_candidate": "client or candidate",
    "unknown": "unknown",
}
OUTCOMES = {
    "brought a change": ("n_changed", SERIES[2]),
    "nothing new": ("n_unchanged", SERIES[7]),
    "failed": ("n_lost", SERIES[1]),
}
_FORMATS = {"day": "%-d %b", "week": "%-d %b", "month": "%b %Y"}
AGES = ("under 1 day", "1 to 3 days", "3 to 7 days", "1 to 2 weeks", "2 to 4 weeks", "over 30 days")

_VARIABLES = {
    INK: "ink",
    QUIET: "quiet",
    RULE: "rule",
    PAPER: "paper",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, start=1)},
}
_UNITS = ((7200, 60, "minutes"), (172_800, 3600, "hours"), (float("inf"), 86_400, "days"))
_MARKS = {
    1: "1 s",
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    21_600: "6 h",
    86_400: "1 d",
    432_000: "5 d",
    1_728_000: "20 d",
    8_640_000: "100 d",
}


def _drawn(chart: alt.Chart | alt.LayerChart | alt.FacetChart) -> str:
    """The chart as SVG whose names clash with no other drawing's and whose colours are the page's."""
    spec = chart.configure(**_CONFIG).to_dict()
    svg = vl_convert.vegalite_to_svg(spec)
    prefix = f"chart-{zlib.crc32(svg.encode()):08x}-"
    svg = re.sub(r'\bid="', f'id="{prefix}', svg).replace("url(#", f"url(#{prefix}")
    for colour, name in _VARIABLES.items():
        svg = svg.replace(f'"{colour}"', f'"var(--{name})"')
    return re.sub(r'(<svg [^>]*?) width="(\d+)" height="\d+"', r'\1 style="max-width:\2px"', svg, count=1)


_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "sans-serif",
    "padding": {"left": 14, "right": 14, "top": 5, "bottom": 5},
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "labelFontSize": FONT_SIZE,
        "titleColor": QUIET,
        "titleFontSize": FONT_SIZE,
        "titleFontWeight": "normal",
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
    },
    "legend": {
        "labelColor": INK,
        "labelFontSize": FONT_SIZE,
        "labelLimit": 120,
        "columnPadding": 26,
        "symbolType": "square",
        "title": None,
        "orient": "bottom",
        "direction": "horizontal",
        "columns": 2,
    },
}


def _data(rows: Iterable[Row]) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in rows])


def unit(longest: float) -> tuple[float, str]:
    """The unit for a time axis up to `longest` seconds: (its seconds, its name)."""
    return next((size, name) for limit, size, name in _UNITS if longest < limit)


def _scale(colours: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _duration_axis(rows: Sequence[Row], fields: Sequence[str]) -> tuple[alt.Scale, alt.Axis]:
    """A logarithmic scale of seconds with marks that people use."""
    values = [float(row[field]) for row in rows for field in fields if row[field] is not None]
    low, high = max(1.0, min(values, default=1.0)), max(10.0, *values, 10.0)
    marks = list(_MARKS)
    first = max((mark for mark in marks if mark <= low), default=marks[0])
    last = min((mark for mark in marks if mark >= high), default=high)
    shown = [mark for mark in marks if first <= mark <= last]
    labels = "{" + ", ".join(f"'{mark}': '{_MARKS[mark]}'" for mark in shown) + "}[datum.value]"
    scale = alt.Scale(type="log", domain=[first, last], nice=False, clamp=True)
    return scale, alt.Axis(values=shown, labelExpr=labels, title=None, labelOverlap="greedy", labelSeparation=12)


def ranges(rows: Sequence[Row], label: str) -> str:
    """Range chart as SVG: median to 95th percentile, one line per `label`; a bar back to the earliest median.

    Rows have `label`, p50, p75, p90, p95 and p50_earliest, in seconds.
    """
    marks = ("p50_earliest", "p50", "p75", "p90", "p95")
    told = [{**row, **_marked(row, marks)} for row in rows if row["p50"] is not None]
    scale, axis = _duration_axis(told, marks)
    order = [row[label] for row in told]
    y = alt.Y(f"{label}:N", sort=order, title=None, axis=alt.Axis(labelLimit=110, labelColor=INK))
    base = alt.Chart(_data(told)).encode(y=y)
    layers = [
        base.mark_rule(color=SERIES[0], strokeWidth=2).encode(x=alt.X("p50:Q", scale=scale, axis=axis), x2="p95:Q"),
        base.mark_bar(color=SERIES[0], opacity=0.35, height=10).encode(
            x=alt.X("p50_earliest:Q", scale=scale), x2="p50:Q"
        ),
        base.mark_circle(color=SERIES[0], size=90, opacity=1).encode(x="p50:Q"),
        *(base.mark_tick(color=SERIES[0], thickness=2, height=12).encode(x=f"{mark}:Q") for mark in marks[3:]),
    ]
    return _drawn(alt.layer(*layers).properties(width=WIDTH, height=alt.Step(30)))


def _marked(row: Row, marks: Sequence[str]) -> dict[str, float]:
    """Each mark on a scale that begins at a second; one that is not known yet lies on the one before it."""
    found: dict[str, float] = {}
    last = 1.0
    for mark in marks:
        last = found[mark] = last if row[mark] is None else max(1.0, row[mark])
    return found


def trend(rows: Sequence[Row]) -> str:
    """Line chart as SVG: median per package by time of ordering. Hollow where some checks are still open.

    Rows have package, part (day, week or month), ordered_on, n, n_open and p50, in seconds.
    """
    size, name = unit(max(row["p50"] for row in rows))
    told = [{**row, "value": row["p50"] / size, "is_final": not row["n_open"]} for row in rows]
    packages = dict(zip(dict.fromkeys(row["package"] for row in told), SERIES, strict=False))
    base = alt.Chart(_data(told)).encode(
        x=alt.X(
            "ordered_on:T",
            title=f"ordered in the {rows[0]['part']} of",
            axis=alt.Axis(format=_FORMATS[rows[0]["part"]], labelOverlap="greedy", tickCount=3),
        ),
        y=alt.Y("value:Q", title=f"median, {name}", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4)),
        color=alt.Color("package:N", scale=_scale(packages)),
    )
    final = base.mark_point(size=45, opacity=1, strokeWidth=2).encode(
        fill=alt.condition("datum.is_final", alt.Color("package:N", scale=_scale(packages)), alt.value(PAPER))
    )
    return _drawn(alt.layer(base.mark_line(strokeWidth=2), final).properties(width=WIDTH, height=150))


def survival(rows: Sequence[Row]) -> str:
    """Survival curve as SVG: the share of checks that take longer than a time, with its band of bounds.

    The band reaches from the earliest to the latest. Rows have time_seconds, survival, survival_middle and
    survival_earliest, in order of time.
    """
    size, name = unit(rows[-1]["time_seconds"])
    start = {"time": 0.0, "survival": 1.0, "survival_middle": 1.0, "survival_earliest": 1.0}
    told = [start, *({**row, "time": row["time_seconds"] / size} for row in rows)]
    base = alt.Chart(_data(told)).encode(x=alt.X("time:Q", title=f"{name} since ordering", axis=alt.Axis(tickCount=5)))
    shares = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    y = alt.Y("survival:Q", title="not complete yet", scale=alt.Scale(domain=[0, 1]), axis=shares)
    band = base.mark_area(interpolate="step-after", color=SERIES[0], opacity=0.25).encode(y=y, y2="survival_earliest:Q")
    line = base.mark_line(interpolate="step-after", color=SERIES[0], strokeWidth=2).encode(y="survival_middle:Q")
    return _drawn(alt.layer(band, line).properties(width=WIDTH, height=150))


def shares(rows: Sequence[Row], label: str, kind: str, value: str, colours: Mapping[str, str]) -> str:
    """Stacked bars of shares (adding up to 100 %) as SVG, one per `label`, split by `kind`."""
    order = list(dict.fromkeys(row[label] for row in rows))
    used = {name: colour for name, colour in colours.items() if any(row[kind] == name for row in rows)}
    ranked = [{**row, "rank": list(used).index(row[kind])} for row in rows]
    chart = (
        alt.Chart(_data(ranked))
        .mark_bar(height=18)
        .encode(
            x=alt.X(
                f"{value}:Q",
                stack="normalize",
                title=None,
                axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            ),
            y=alt.Y(f"{label}:N", sort=order, title=None, axis=alt.Axis(labelLimit=110, labelColor=INK)),
            color=alt.Color(f"{kind}:N", scale=_scale(used)),
            order=alt.Order("rank:Q"),
        )
    )
    return _drawn(chart.properties(width=WIDTH, height=alt.Step(28)))


def counts(
    rows: Sequence[Row], label: str, kind: str, value: str, colours: Mapping[str, str], order: Sequence[str]
) -> str:
    """Stacked bars of counts as SVG, one per `label` in the given order, split by `kind`."""
    used = {name: colour for name, colour in colours.items() if any(row[kind] == name for row in rows)}
    ranked = [{**row, "rank": list(used).index(row[kind])} for row in rows]
    chart = (
        alt.Chart(_data(ranked))
        .mark_bar(height=18)
        .encode(
            x=alt.X(f"{value}:Q", stack="zero", title="open checks", axis=alt.Axis(tickCount=4, format="d")),
            y=alt.Y(f"{label}:N", sort=list(order), title=None, axis=alt.Axis(labelLimit=110, labelColor=INK)),
            color=alt.Color(f"{kind}:N", scale=_scale(used)),
            order=alt.Order("rank:Q"),
        )
    )
    return _drawn(chart.properties(width=WIDTH, height=alt.Step(28)))


def palette(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, in order; beyond the eighth a muted one."""
    unique = list(dict.fromkeys(names))
    return {name: SERIES[number] if number < len(SERIES) else QUIET for number, name in enumerate(unique)}
