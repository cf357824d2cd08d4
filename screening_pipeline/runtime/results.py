"""Results of a run's steps: account reports, counts of intake and of the star."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import LockHeld, MissingSecret
from screening_pipeline.domain.pull_counts import PullCounts
from screening_pipeline.orders.intake import IntakeCounts

if TYPE_CHECKING:
    from screening_pipeline.http.feed_record import Gap
    from screening_pipeline.state.run_ledger import RunLedger


# Why pulling an account may end early with nothing wrong: the time was up, or another process is asking it.
AS_PLANNED = ("deadline", LockHeld.code)


@dataclass(frozen=True, kw_only=True)
class AccountReport(PullCounts):
    """The result of pulling one account. `code` is why it ended early, or why it was not pulled at all.

    `answered`: the vendor's calls, by name, of which at least one brought what could be read; `unanswered`: the others
    that were made.
    """

    feed_messages: int = 0
    gaps: tuple[Gap, ...] = ()
    feed_code: str | None = None
    message: str | None = None
    answered: frozenset[str] = frozenset()
    unanswered: frozenset[str] = frozenset()

    def __add__(self, later: AccountReport) -> AccountReport:
        """The report of both looks at the account; how it stands is how the later one left it."""
        sums = ("accepted", "rejected", "missing", "failed", "feed_messages")
        answered = self.answered | later.answered
        unanswered = (self.unanswered | later.unanswered) - answered
        counts = {name: getattr(self, name) + getattr(later, name) for name in sums}
        return replace(later, **counts, answered=answered, unanswered=unanswered)

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look: not pulled as planned, or answers that could not be read."""
        is_feed_failed = self.feed_code not in (None, "busy", "rounds")
        return is_feed_failed or self.code not in (None, *AS_PLANNED) or bool(self.rejected or self.failed)

    def facts(self) -> dict[str, Any]:
        """The report as JSON values, with the number of calls."""
        gaps = [asdict(gap) | {"requested_at": gap.requested_at.isoformat()} for gap in self.gaps]
        names = {name: sorted(getattr(self, name)) for name in ("answered", "unanswered")}
        return asdict(self) | names | {"gaps": gaps, "calls": self.calls}

    @classmethod
    def of_facts(cls, facts: dict[str, Any]) -> AccountReport:
        """The report from the JSON values of `facts`."""
        values = {name: value for name, value in facts.items() if name != "calls"}
        names = {name: frozenset(values[name]) for name in ("answered", "unanswered")}
        return cls(**values | names | {"gaps": tuple(_gap(told) for told in facts["gaps"])})


def _gap(told: dict[str, Any]) -> Gap:
    from screening_pipeline.http.feed_record import Gap

    return Gap(**told | {"requested_at": datetime.fromisoformat(told["requested_at"])})


@dataclass(frozen=True, kw_only=True)
class BatchCounts:
    """Counts of what batches changed in the star. `written`: the tables with rows written or removed."""

    responses: int = 0
    changed: int = 0
    rejects: int = 0
    written: frozenset[str] = frozenset()

    def __add__(self, other: BatchCounts) -> BatchCounts:
        return BatchCounts(
            responses=self.responses + other.responses,
            changed=self.changed + other.changed,
            rejects=self.rejects + other.rejects,
            written=self.written | other.written,
        )


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The result of a step of a run, or of several merged; `begun_at` is when the first of them began.

    `broken`: the rules that were tried and do not hold, as `schema.table.rule`.
    """

    begun_at: datetime
    intake: IntakeCounts = field(default_factory=IntakeCounts)
    settled: BatchCounts = field(default_factory=BatchCounts)
    reports: tuple[AccountReport, ...] = ()
    broken: tuple[str, ...] = ()

    def __add__(self, other: StepResult) -> StepResult:
        return StepResult(
            begun_at=min(self.begun_at, other.begun_at),
            intake=self.intake + other.intake,
            settled=self.settled + other.settled,
            reports=(*self.reports, *other.reports),
            broken=tuple(sorted({*self.broken, *other.broken})),
        )

    def facts(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "begun_at": self.begun_at.isoformat(),
            "intake": asdict(self.intake),
            "settled": asdict(self.settled) | {"written": sorted(self.settled.written)},
            "reports": [report.facts() for report in self.reports],
            "broken": list(self.broken),
        }

    @classmethod
    def of_facts(cls, facts: dict[str, Any]) -> StepResult:
        """The result from the JSON values of `facts`."""
        settled = facts["settled"]
        return cls(
            begun_at=datetime.fromisoformat(facts["begun_at"]),
            intake=IntakeCounts(**facts["intake"]),
            settled=BatchCounts(**settled | {"written": frozenset(settled["written"])}),
            reports=tuple(map(AccountReport.of_facts, facts["reports"])),
            broken=tuple(facts.get("broken", ())),  # steps of earlier versions noted none
        )


def note_step(ledger: RunLedger, run_id: str, step: str, result: StepResult, *, now: datetime) -> None:
    """Store a step's result in the ledger, for the later steps of its run, in place of an earlier try's."""
    ledger.note(run_id, step, result.facts(), now=now)


def steps_before(ledger: RunLedger, run_id: str, step: str, *, begun_at: datetime) -> StepResult:
    """The merged results of the other steps of a run; `begun_at` is when this one began."""
    done = (facts for name, facts in ledger.steps(run_id) if name != step)
    return _together(done, StepResult(begun_at=begun_at))


def whole_run(ledger: RunLedger, run_id: str, *, now: datetime) -> StepResult:
    """The merged results of all steps of a run; empty for an unknown run."""
    return _together((facts for _, facts in ledger.steps(run_id)), StepResult(begun_at=now))


def _together(done: Iterable[dict[str, Any]], start: StepResult) -> StepResult:
    return reduce(add, map(StepResult.of_facts, done), start)


def exit_code(reports: Sequence[AccountReport], rejects: int) -> int:
    """0 done, 1 something needs attention, 2 no account has its secret, 3 another process is asking all of them."""
    codes = {report.code for report in reports}
    for problem in (MissingSecret, LockHeld):
        if codes == {problem.code}:
            return problem.exit_code
    return int(bool(rejects) or any(report.needs_attention for report in reports))
