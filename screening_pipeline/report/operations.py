"""Report sections on operations: adjudication decisions, reopened checks, costs of pulls, data quality."""

from __future__ import annotations

from screening_pipeline.report import charts
from screening_pipeline.report import page as html
from screening_pipeline.report.figures import Figures, Names
from screening_pipeline.report.page import Row

_FINDINGS = {
    "is_without_notice": "no notice before the action",
    "is_too_early": "action may have come too early",
    "is_during_dispute": "action during a dispute",
    "is_waiting_over": "waiting period is over",
}


def decisions(figures: Figures, names: Names) -> html.Section:
    """Report section: adjudications of complete checks, and checks awaiting one."""
    rows = figures["adjudication"]
    drawn = []
    if rows:
        mix = [{**row, "decision": row["adjudication"].replace("_", " ")} for row in names.named(rows)]
        colours = charts.palette(sorted(row["decision"] for row in mix))
        svg = charts.shares(mix, "vendor", "decision", "n", colours)
        drawn.append(("Decisions", svg, "Complete checks by what was decided about them."))
    return html.Section(
        "adjudication",
        "Decisions",
        "Results of complete checks and what was decided about them.",
        "Checks that are complete only in part have no part in the shares.",
        html.charts(drawn)
        + _mix(rows, names)
        + _waiting(figures["missing"], names)
        + _adverse(figures["adverse"], names),
    )


def _mix(rows: list[Row], names: Names) -> str:
    columns = [
        names.column(),
        html.text("Result", "result", html.spoken),
        html.text("Decision", "adjudication", html.spoken),
        html.figures("Checks", "n"),
        html.figures("Share", "share", html.share),
        html.bounded("Decided after, median", "p50", "p50_earliest"),
        html.figures("Business days, median", "p50_business_days", html.days),
    ]
    return html.table(rows, columns)


def _waiting(rows: list[Row], names: Names) -> str:
    if not rows:
        return ""
    columns = [
        names.column(),
        html.text("Check", "check_id"),
        html.text("Vendor's word", "vendor_adjudication"),
        html.text("Who has to act", "next_actor", html.spoken),
        html.figures("Waiting for", "waiting_seconds", html.span),
        html.figures("Business days", "waiting_business_days"),
    ]
    return f"<h3>Waiting for a decision: {rows[0]['waiting']:,}</h3>\n{html.table(rows, columns)}"


def _adverse(rows: list[Row], names: Names) -> str:
    if not rows:
        return ""
    columns = [
        names.column(),
        html.text("Check", "check_id"),
        html.remark(_finding, "Finding"),
        html.text("Notice", "pre_adverse_at", html.moment),
        html.text("Action", "final_adverse_at", html.moment),
        html.figures("Waited, business days", "waited_business_days"),
        html.figures("Required", "required_business_days", html.days),
    ]
    return f"<h3>Adverse action</h3>\n{html.table(rows, columns)}"


def _finding(row: Row) -> str:
    return "; ".join(finding for key, finding in _FINDINGS.items() if row[key])


def afterwards(figures: Figures, names: Names) -> html.Section:
    """Report section: reopened checks, and subscriptions."""
    opened = [
        names.column(),
        html.figures("Opened again", "n"),
        html.figures("By a dispute", "n_disputed"),
        html.figures("Open now", "n_open"),
        html.figures("Had been complete for, median", "p50_ended_for", html.span),
        html.figures("Open again for, median", "p50_open_again", html.span),
    ]
    watched = [
        names.column(),
        html.figures("Subscriptions", "n"),
        html.figures("Active", "n_active"),
        html.figures("Runs", "n_runs"),
        html.figures("With an alert", "n_alerts"),
        html.figures("Told differently later", "n_rewritten"),
        html.figures("Longest silence", "longest_silence", html.span),
    ]
    return html.Section(
        "afterwards",
        "After the end",
        "Checks that were opened again, and subscriptions, which look on after a check has ended.",
        "Checks that are opened again keep their first completion. Subscriptions have no turnaround.",
        f"<h3>Opened again</h3>\n{html.table(figures['reopened'], opened)}"
        f"<h3>Subscriptions</h3>\n{html.table(figures['subscriptions'], watched)}",
    )


def pulls(figures: Figures, names: Names) -> html.Section:
    """Report section: calls per change, and the lag with which changes are seen."""
    rows = figures["pulls"]
    columns = [
        names.column(),
        html.figures("Calls", "n_calls"),
        html.figures("Changes seen", "n_changes"),
        html.figures("Calls for a change", "calls_per_change"),
        html.figures("Failed", "n_lost"),
        html.figures("Of the allowance, at most", "budget_share", html.share),
        html.bounded("Seen after, median", "p50", "p50_earliest"),
        html.figures("95 in 100", "p95", html.span),
        html.figures("States never seen", "share_lost", html.share),
    ]
    return html.Section(
        "pulls",
        "What asking costs and brings",
        "Calls, what they brought, and how late changes were seen.",
        "How late a change was seen is counted from the vendor's own time of it or, where there is none, "
        "from the last time the check was seen without it, which is the most it can have been. These times "
        "are of the latest week with changes, the counts of all weeks. States that came and went before the first look "
        "or between two are estimated from how far apart looks were.",
        html.charts(_brought(rows, names)) + html.table(rows, columns),
    )


def _brought(rows: list[Row], names: Names) -> list[tuple[str, str, str]]:
    outcomes = charts.OUTCOMES
    told = [
        {"vendor": names[row["vendor"]], "outcome": outcome, "calls": row[field]}
        for row in rows
        for outcome, (field, _) in outcomes.items()
        if row["n_calls"]
    ]
    if not told:
        return []
    colours = {outcome: colour for outcome, (_, colour) in outcomes.items()}
    return [("What calls brought", charts.shares(told, "vendor", "outcome", "calls", colours), "")]


def quality(figures: Figures, names: Names) -> html.Section:
    """Report section: data quality by account."""
    rows = figures["quality"]
    account = [names.column(), html.text("Account", "account")]
    known = [
        *account,
        html.text("Known up to", "known_at", html.moment),
        html.figures("Checks", "n_checks"),
        html.figures("In the figures", "n"),
        html.figures("Dated by the vendor", "vendor_time_share", html.share),
        html.figures("Uncertain by, median", "p50", html.span),
        html.figures("95 in 100", "p95", html.span),
    ]
    flawed = [
        *account,
        html.figures("Never seen", "n_never_observed"),
        html.figures("First seen complete", "n_left_censored"),
        html.figures("No order time", "n_no_order_time"),
        html.figures("Complete before ordered", "n_negative"),
        html.figures("Canceled and the like", "n_ended_otherwise"),
        html.figures("Words that contradict", "n_conflicts"),
        html.figures("Unknown words", "n_unmapped"),
        html.figures("Unreadable", "n_rejects"),
    ]
    return html.Section(
        "quality",
        "What these figures rest on",
        "How far each account is known, and what has no part in turnaround.",
        "“Uncertain by” says by how much a turnaround can be shorter than counted. Checks first seen "
        "complete, without an order time, complete before they were ordered, or canceled, expired and "
        "declined have no part in turnaround.",
        html.table(rows, known) + html.table(rows, flawed),
    )
