"""Report sections on time: turnaround, whose time it is, ageing, promised turnarounds."""

from __future__ import annotations

from collections.abc import Iterable

from screening_pipeline.report import charts, filters
from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Figures, Names, by_vendor_of
from screening_pipeline.report.page import Row


def by_vendor(figures: Figures, names: Names) -> html.Section:
    """Report section: turnaround by vendor."""
    rows = figures["turnaround"]
    measured = names.named(row for row in rows if row["median"] is not None)
    *pace, remark = filters.pace_columns()
    more = [
        html.figures("Median, business days", "median_business_days", html.days),
        html.figures("Ever complete", "share_completing", html.share),
    ]
    columns = [names.column(), *pace, *more, remark]
    note = "Dot: median; ticks: 90 and 95 in 100; pale bar: back to the earliest the median can have been."
    drawn = [("From ordered to complete", charts.ranges(measured, "vendor"), note)] if measured else []
    return html.Section(
        "turnaround",
        "Turnaround by vendor",
        "From the order to the end of the screening, of the checks that complete.",
        "Open checks are counted for as long as they were seen open, and those that end otherwise leave when they do. "
        "Below a figure stands what it is if every end came as early, or as late, as it can have come. The interval "
        "says what chance allows. By package and month there are the twelve packages of a vendor ordered most, "
        "and the last thirteen months in which anything was ordered; the chart is always of all.",
        f'{filters.chosen_turnaround(figures, names)}<div id="by-vendor">{html.table(rows, columns)}</div>'
        + html.charts(drawn),
    )


def by_package(figures: Figures, names: Names) -> html.Section:
    """Report section: turnaround of the most ordered packages, and its trend."""
    trends = by_vendor_of(figures["trend"])
    drawn = []
    for vendor, rows in by_vendor_of(figures["packages"]).items():
        spread = charts.ranges(rows, "package")
        drawn.append((f"{names[vendor]}: packages", spread, ""))
        if trends.get(vendor):
            told = charts.trend(trends[vendor])
            drawn.append((f"{names[vendor]}: trend", told, "Hollow: some are still open."))
    parts = html.table(
        figures["parts"],
        [
            names.column(),
            html.text("Part of a check", "check_type"),
            html.figures("Complete", "n"),
            html.figures("Open", "n_open"),
            html.bounded("Median", "p50", "p50_earliest"),
            html.bounded("90 in 100", "p90", "p90_earliest"),
            html.figures("Median, business days", "p50_business_days", html.days),
        ],
    )
    return html.Section(
        "packages",
        "Distribution and trend by package",
        "The packages ordered most.",
        "A point of the trend is the median of the closed checks ordered then, ten at least; while some of them are "
        "open, it can only rise.",
        (html.charts(drawn) or html.nothing()) + (f"<h3>Parts of checks</h3>\n{parts}" if figures["parts"] else ""),
    )


def survival(figures: Figures, names: Names) -> html.Section:
    """Report section: survival curve of each vendor's turnaround."""
    drawn = [
        (names[vendor], charts.survival(rows), f"{rows[0]['n_at_risk']:,} checks, open ones counted")
        for vendor, rows in by_vendor_of(figures["survival"]).items()
    ]
    return html.Section(
        "survival",
        "How many take longer",
        "Of the checks that complete, the share that takes longer than a time.",
        "An open check counts for as long as it was seen open, and one that is canceled or expires leaves then. The "
        "line takes each end in the middle of its bounds, the band from one end to the other.",
        html.charts(drawn) or html.nothing(),
    )


def holders(figures: Figures, names: Names) -> html.Section:
    """Report section: shares of turnaround by who had to act, and who holds the open checks."""
    phases, held = figures["phases"], figures["holders"]
    drawn = []
    if phases:
        svg = charts.shares(_spoken(names.named(phases)), "vendor", "phase", "share", _phase_colours())
        drawn.append(("Whose time it was", svg, "Closed checks, calendar time from ordered to complete."))
    if held:
        order = [names[row["vendor"]] for row in held]
        rows = _spoken(names.named(held))
        svg = charts.counts(rows, "vendor", "phase", "n", _phase_colours(), order)
        drawn.append(("Who holds the open ones", svg, "Open checks by who has to act."))
    return html.Section(
        "who",
        "Who holds what up",
        "Each stretch of a check's life belongs to whoever had to act in it.",
        "Medians are over all closed checks, also those on which that party never had to act.",
        f"{html.charts(drawn)}<h3>Closed checks</h3>\n{_spent(phases, names)}"
        f"<h3>Open checks</h3>\n{_held(held, names)}",
    )


def _spent(rows: list[Row], names: Names) -> str:
    columns = [
        names.column(),
        html.text("Who had to act", "phase", html.spoken),
        html.figures("Checks", "n_touched"),
        html.figures("Share of time", "share", html.share),
        html.bounded("Median", "p50", "p50_least"),
        html.bounded("90 in 100", "p90", "p90_least"),
        html.figures("Median, business days", "p50_business_days", html.days),
    ]
    return html.table(rows, columns)


def _held(rows: list[Row], names: Names) -> str:
    columns = [
        names.column(),
        html.text("Who has to act", "phase", html.spoken),
        html.figures("Open", "n"),
        html.figures("Stuck", "n_stale"),
        html.figures("Held for, median", "p50", html.span),
        html.figures("Held for, longest", "longest_seconds", html.span),
        html.figures("Longest, business days", "longest_business_days"),
    ]
    return html.table(rows, columns)


def _spoken(rows: Iterable[Row]) -> list[Row]:
    return [{**row, "phase": charts.PHASE_NAMES[row["phase"]]} for row in rows]


def _phase_colours() -> dict[str, str]:
    return {charts.PHASE_NAMES[phase]: colour for phase, colour in charts.PHASES.items()}


def ageing(figures: Figures, names: Names) -> html.Section:
    """Report section: open checks by age, the oldest listed."""
    ages, order = _spoken(figures["ages"]), charts.AGES
    drawn = []
    if ages:
        svg = charts.counts(ages, "age", "phase", "open_checks", _phase_colours(), order)
        drawn.append(("Open checks by age", svg, "Age since ordering, by who has to act."))
    columns = [
        names.column(),
        html.text("Check", "check_id"),
        html.text("State", "lifecycle", html.spoken),
        html.text("Who has to act", "next_actor", html.spoken),
        html.figures("Age", "age_seconds", html.span),
        html.figures("Business days", "age_business_days"),
        html.figures("In this state", "held_seconds", html.span),
        html.figures("Last seen", "unseen_seconds", html.span),
        html.remark(lambda row: '<span class="alarm">stuck</span>' if row["is_stale"] else ""),
    ]
    return html.Section(
        "ageing",
        "Open checks by age",
        "The oldest come first.",
        "“Stuck” is a check whose state has lasted longer than such a state should: thirty days, unless something else "
        "is declared of its vendor. Ages run to the latest instant that anything was told.",
        html.charts(drawn) + html.table(figures["oldest"], columns),
    )


def promises(figures: Figures, names: Names) -> html.Section:
    """Report section: SLA compliance, and breaches."""
    broken = figures["breaches"]
    total = broken[0]["breaches"] if broken else 0
    return html.Section(
        "sla",
        "Promises kept",
        "Promised turnarounds come from the configuration.",
        "On the vendor's clock only time counts in which the vendor had to act. Orders younger than their promise are "
        "not judged. “Surely” is of those of which it is known; at worst and at best, all that nobody saw went against "
        "the promise, or for it.",
        _kept(figures["sla"], names)
        + (f"<h3>Broken promises: {total:,}</h3>\n{_broken(broken, names)}" if total else ""),
    )


def _kept(rows: list[Row], names: Names) -> str:
    columns = [
        names.column(),
        html.remark(_promise, "Promise"),
        html.figures("Kept, surely", "attainment", html.share),
        html.figures("At worst", "attainment_at_worst", html.share),
        html.figures("At best", "attainment_at_best", html.share),
        html.figures("Judged", "n"),
        html.figures("Broken", "n_breached"),
        html.figures("Broken, still open", "n_breached_open"),
        html.figures("Too young", "n_young"),
        html.figures("Not judged", "n_excluded"),
    ]
    return html.table(rows, columns)


def _broken(rows: list[Row], names: Names) -> str:
    columns = [
        names.column(),
        html.text("Check", "check_id"),
        html.text("Package", "package"),
        html.remark(_promise, "Promise"),
        html.Column("Took", _elapsed),
        html.Column("Too long by", _overrun),
        html.remark(_breach_note),
    ]
    return html.table(rows, columns)


def _promise(row: Row) -> str:
    hours, days = row["target_hours"], row["target_business_days"]
    promised = f"{days:g} business days" if hours is None else f"{hours:g} h"
    return f"{promised}, {'vendor’s clock' if row['clock'] == 'vendor' else 'in all'}"


def _elapsed(row: Row) -> str:
    if row["target_hours"] is None:
        return f"{html.days(row['elapsed_business_days'])} business days"
    return html.span(row["elapsed_seconds"])


def _overrun(row: Row) -> str:
    if row["target_hours"] is None:
        return f"{html.days(row['overrun_business_days'])} business days"
    return html.span(row["overrun_seconds"])


def _breach_note(row: Row) -> str:
    if row["is_running"]:
        return "still open"
    return "" if row["is_certain"] else "perhaps in time"
