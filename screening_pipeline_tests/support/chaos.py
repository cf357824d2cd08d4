"""A soak: many virtual days of five vendors of which a fifth of all answers goes wrong, through the real pipeline.

    python -m screening_pipeline_tests.support.chaos [--days 60] [--hours 12] [--checks 300] [--rate 0.2] [--seed 7]

Real HTTP, real Dagster runs, real files; only time is virtual. When the days are over, cycles that ask for
everything that is open go on, with the same faults, until the star says what the vendors say, and are counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.warehouse import catalog
from screening_pipeline_tests.support.differential import differences
from screening_pipeline_tests.support.end_to_end_world import Play, playing
from screening_pipeline_tests.support.loopback import Reply, serving

LAST_ROUNDS = 12
# What the sandbox says on purpose, such as a word that nobody mapped, is no failure of the pipeline.
WARNINGS = {
    rule.name
    for is_every_run in (True, False)
    for rule in catalog.rules("raw", "star", "ops", is_every_run=is_every_run)
    if rule.is_warning
}
ANSWERS = """
select
    coalesce(r.reject, r.failure, if(r.http_status between 200 and 299, null, 'http_' || r.http_status)) as reason,
    r.http_status between 200 and 299 or r.failure is not null as is_answer_or_failure,
    p.outcome, count(*) as n
from staging.response as r left join star.fact_pull as p using (response_id)
group by all
"""


@dataclass
class Soaked:
    """What came of a soak. `differences`: where star and vendors disagree in the end (nowhere, if all is well)."""

    days: float
    cycles: int = 0
    last_rounds: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    answers: int = 0
    refused_or_failed: dict[str, int] = field(default_factory=dict)
    without_reason: int = 0
    updates_lost: int = 0
    updates_handed_out: int = 0
    gaps: int = 0
    gaps_settled: int = 0
    asked_after_the_end: int = 0
    asked_elsewhere: int = 0
    failed_rules: list[str] = field(default_factory=list)
    differences_when_the_days_were_over: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, left unexplained, or told to a stranger."""
        wrong = (self.differences, self.without_reason, self.asked_after_the_end, self.asked_elsewhere)
        return not any(wrong) and not self.failed_rules and self.gaps == self.gaps_settled


def soak(
    folder: Path,
    *,
    days: float = 60,
    hours: float = 12,
    checks: int = 300,
    rate: float = 0.2,
    seed: int = 7,
    kinds: Sequence[str] = (),
) -> Soaked:
    """Play so many days, a cycle every so many hours. Whatever the pipeline raises is raised."""
    soaked = Soaked(days)
    with (
        serving(lambda _: Reply()) as elsewhere,
        playing(folder, checks=checks, days=int(days), fault_seed=seed, fault_elsewhere=elsewhere.url) as play,
    ):
        play.sandbox.set_faults(rate, *kinds)
        for number in range(1, round(days * 24 / hours) + 1):
            _cycle(play, soaked, number * hours / 24 - 1)
        soaked.differences_when_the_days_were_over = len(_differences(play))
        while soaked.last_rounds < LAST_ROUNDS and (soaked.last_rounds == 0 or _differences(play)):
            soaked.last_rounds += 1
            _cycle(play, soaked, days + soaked.last_rounds / 24, is_full=True)
        soaked.differences = _differences(play)
        play.sandbox.set_faults(0)
        _cycle(play, soaked, days + 1, is_full=True)  # a gap is settled by a round in which every order answers
        _sum_up(play, soaked)
        soaked.asked_elsewhere = len(elsewhere.asked)
    return soaked


def _cycle(play: Play, soaked: Soaked, day: float, *, is_full: bool = False) -> None:
    outcome = play.cycle(day, is_full=is_full)
    soaked.cycles += 1
    soaked.failed_rules += [
        f"day {day:.1f}: {rule}" for rule in outcome.failed_checks if rule.rpartition(".")[2] not in WARNINGS
    ]


def _differences(play: Play) -> list[str]:
    return differences(play.sandbox, play.rows("from star.fact_check"))


def _sum_up(play: Play, soaked: Soaked) -> None:
    stats, reasons = play.sandbox.stats(), Counter[str]()
    with open_warehouse(play.runtime) as connection:
        for reason, is_counted, outcome, count in connection.execute(ANSWERS).fetchall():
            soaked.answers += count
            reasons[reason or ""] += count
            soaked.without_reason += count if reason is None and (not is_counted or outcome == "rejected") else 0
        gaps = connection.execute("select count(*), count(settled_at) from ops.feed_gap").fetchone()
    soaked.refused_or_failed = {reason: count for reason, count in reasons.most_common() if reason}
    soaked.gaps, soaked.gaps_settled = gaps or (0, 0)
    soaked.requests, soaked.faults = stats["requests"], dict(sorted(stats["faults"].items()))
    soaked.updates_lost, soaked.updates_handed_out = stats["feed"]["lost"], stats["feed"]["handed_out"]
    soaked.asked_after_the_end = sum(stats["after_over"].values())
    soaked.checks = len(play.sandbox.truth())
    soaked.differences = sorted({*soaked.differences, *_differences(play)})


def main() -> int:
    """Run the long form and print what came of it; 1 unless all is well."""
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument("--days", type=float, default=60)
    grammar.add_argument("--hours", type=float, default=12)
    grammar.add_argument("--checks", type=int, default=300)
    grammar.add_argument("--rate", type=float, default=0.2)
    grammar.add_argument("--seed", type=int, default=7)
    given = grammar.parse_args()
    warnings.simplefilter("ignore")  # Dagster's own, about pydantic
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        soaked = soak(Path(folder), **vars(given))
    sys.stdout.write(json.dumps(_printable(soaked, time.process_time() - started), indent=2) + "\n")
    return int(not soaked.is_good)


def _printable(soaked: Soaked, seconds: float) -> dict[str, Any]:
    faults = sum(soaked.faults.values())
    return asdict(soaked) | {
        "requests_in_all": sum(soaked.requests.values()),
        "faults_in_all": faults,
        "is_good": soaked.is_good,
        "cpu_seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
