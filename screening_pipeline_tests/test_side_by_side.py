"""Accounts of a run are asked side by side, each at its own limit; one account's trouble is its own."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from screening_pipeline.base.clock import StandingClock, SystemClock
from screening_pipeline.base.errors import DiskFull
from screening_pipeline.cycle import account_pull, pull, settle, take_orders, turns
from screening_pipeline.cycle.pull import PullRequest, pull_accounts
from screening_pipeline.landing.area import Landing, Line
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.runtime.results import AccountReport
from screening_pipeline.settings import load
from screening_pipeline.settings.account import Account
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.warehouse import session, store
from screening_pipeline_tests.support.loopback import Answering, Asked, Loopback, Reply, json_reply, serving

ACCOUNT = """
[[accounts]]
vendor = "zinc"
name = "{name}"
base_url = "{url}/{name}"
api_key_env = "ZINC_KEY"
requests_per_minute = {limit}
"""
WINDOW = 1.5


@dataclass
class Side:
    """A data folder with accounts at one server, each with checks that are due."""

    runtime: Runtime
    server: Loopback

    def pulled(self, **options: object) -> dict[str, AccountReport]:
        request = PullRequest(**options)  # type: ignore[arg-type]
        accounts = self.runtime.settings.accounts
        return {r.account: r for r in pull_accounts(self.runtime, accounts, request, run_id="run")}

    def arrivals(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = defaultdict(list)
        for asked in self.server.asked:
            if "/results/" in asked.target:
                found[asked.target.split("/")[1]].append(asked.arrived)
        return found

    def rows(self, query: str) -> list[dict[str, object]]:
        with store.reader(self.runtime.settings.paths.published) as connection:
            return session.rows(connection, query)


@contextmanager
def side(
    folder: Path, answering: Answering, names: list[str], *, due: int, limit: int, window: float
) -> Iterator[Side]:
    with serving(answering) as server:
        accounts = "".join(ACCOUNT.format(name=name, url=server.url, limit=limit) for name in names)
        (folder / "screening.toml").write_text(accounts)
        settings = load.load({}, folder)
        settings.paths.create()
        rows = "".join(f"zinc,{name},{name}-{n}\n" for name in names for n in range(due))
        (settings.paths.orders / "a.csv").write_text(f"vendor,account,check_id\n{rows}")
        runtime = build_runtime(settings, {"ZINC_KEY": "key-of-a-test"}, SystemClock())
        runtime = replace(runtime, limiter=Limiter(runtime.state, runtime.clock, window_seconds=window))
        take_orders.take_orders(runtime, run_id="run")
        for name in names:
            items = runtime.pull_queue.due("zinc", name, runtime.clock.now(), is_full=True)
            runtime.pull_queue.replace("zinc", name, [replace(i, next_pull_at=runtime.clock.now()) for i in items])
        yield Side(runtime, server)


def pending(asked: Asked) -> Reply:
    if asked.target.endswith("/packages"):
        return json_reply({"packages": []})
    return json_reply({"id": asked.target.rpartition("/")[2], "status": "pending", "statusV2": "awaiting-candidate"})


def most_in_a_window(times: list[float], window: float) -> int:
    return max(sum(begin <= other < begin + window for other in times) for begin in times)


def test_many_accounts_take_as_long_as_the_slowest_and_each_keeps_its_own_limit(tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(10)]
    with side(tmp_path, pending, names, due=8, limit=5, window=WINDOW) as office:  # one more call: the list of packages
        started = time.monotonic()
        reports = office.pulled()
        spent = time.monotonic() - started
        assert {name: report.accepted for name, report in reports.items()} == dict.fromkeys(names, 8)
        arrivals = office.arrivals()
    assert {name: len(times) for name, times in arrivals.items()} == dict.fromkeys(names, 8)
    assert max(most_in_a_window(times, WINDOW) for times in arrivals.values()) <= 5
    assert spent < 5 * WINDOW, "one after the other they would take ten windows"


def test_one_accounts_trouble_costs_the_others_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answering(asked: Asked) -> Reply:
        name = asked.target.split("/")[1]
        if name == "silent":
            return Reply(429, headers={"Retry-After": "9"})
        return {"refused": Reply(403), "gone": Reply(pieces=[], closes=True)}.get(name) or pending(asked)

    names = ["well", "refused", "silent", "gone", "faulty"]
    looked = account_pull.AccountPull.look

    async def look(self: account_pull.AccountPull, *given: object, **named: object) -> AccountReport:
        if self.account.name == "faulty":
            raise LookupError("of a person called Smith")
        return await looked(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(account_pull.AccountPull, "look", look)
    with side(tmp_path, answering, names, due=3, limit=600, window=60.0) as office:
        reports = office.pulled()
        arrivals = office.arrivals()["well"]
    codes = {name: report.code for name, report in reports.items()}
    assert codes == {
        "well": None,
        "refused": "forbidden",
        "silent": "rate_limited",
        "gone": "unreachable",
        "faulty": pull.INTERNAL_ERROR,
    }
    assert reports["well"].accepted == 3
    assert max(arrivals) - min(arrivals) < 1
    assert "LookupError at test_side_by_side.py" in (reports["faulty"].message or "")
    assert "Smith" not in (reports["faulty"].message or "")


def test_what_the_machine_cannot_do_ends_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFull("the landing area", needed_bytes=2, free_bytes=1)

    with side(tmp_path, pending, ["a", "b"], due=30, limit=600, window=60.0) as office:
        monkeypatch.setattr(Landing, "append", full)
        with pytest.raises(DiskFull):
            office.pulled()
        assert len(office.server.asked) < 20


def test_answers_of_one_file_are_synced_together_and_not_in_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    append = Landing.append

    def slow(self: Landing, file: str, lines: Sequence[Line]) -> None:
        time.sleep(0.05)
        written.append(len(lines))
        append(self, file, lines)

    with side(tmp_path, pending, ["a", "b", "c", "d"], due=12, limit=600, window=60.0) as office:
        monkeypatch.setattr(Landing, "append", slow)
        reports = office.pulled()
    assert sum(report.accepted for report in reports.values()) == 48
    assert sum(written) == 48 + 4
    assert len(written) < 40


def test_what_has_come_is_published_while_calls_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SETTLED_EVERY_SECONDS", 0.5)
    seen: list[int] = []
    with side(tmp_path, pending, ["a", "b"], due=16, limit=4, window=WINDOW) as office:

        def settled() -> None:
            settle.settle_and_publish(office.runtime)
            (row,) = office.rows("select count(*) as n from star.fact_check where first_observed_at is not null")
            seen.append(int(str(row["n"])))

        accounts = office.runtime.settings.accounts
        pull_accounts(office.runtime, accounts, PullRequest(), run_id="run", settle=settled)
        assert len(office.server.asked) == 32 + 2
        assert seen
        assert 0 < seen[0] < 32, "published before the last call was made"


def test_runs_side_by_side_take_turns_at_settling_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SETTLED_EVERY_SECONDS", 1.0)
    begun: list[float] = []

    def slowly(asked: Asked) -> Reply:
        time.sleep(0.15)
        return pending(asked)

    with side(tmp_path, slowly, ["a", "b"], due=100, limit=6000, window=60) as office, ThreadPoolExecutor() as pool:
        other = build_runtime(office.runtime.settings, {"ZINC_KEY": "key-of-a-test"}, SystemClock())

        def run(runtime: Runtime, account: Account) -> AccountReport:
            def settled() -> None:
                begun.append(time.monotonic())
                settle.settle_and_publish(runtime)

            time.sleep(0.4 * (account.name == "b"))
            (report,) = pull_accounts(runtime, [account], PullRequest(), run_id=account.name, settle=settled)
            return report

        limited = [office.runtime, replace(other, limiter=office.runtime.limiter)]
        reports = list(pool.map(run, limited, office.runtime.settings.accounts))
        assert [report.accepted for report in reports] == [100, 100]
        assert {len(times) for times in office.arrivals().values()} == {100}, "none is asked twice"
    gaps = [after - before for before, after in pairwise(sorted(begun))]
    assert len(begun) >= 2
    assert min(gaps) > 0.8, f"each by itself would settle every second: {gaps}"


def test_a_clock_that_was_put_back_has_nobody_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "_PAUSE_SECONDS", 0.1)
    with side(tmp_path, pending, ["quick", "slow"], due=9, limit=4, window=WINDOW) as office:
        queue, clock = office.runtime.pull_queue, office.runtime.clock
        with turns.settling(queue, StandingClock(clock.now() + timedelta(days=1))):
            pass
        assert turns.settled_until(queue, clock) is None
        queue.replace("zinc", "quick", queue.due("zinc", "quick", clock.now())[:1])
        assert office.pulled(seconds=20)["quick"].accepted == 1, (
            "while another account is at work it is looked at again"
        )
        with turns.settling(queue, clock):
            pass
        assert turns.settled_until(queue, clock) is not None


def test_in_a_bounded_run_who_falls_due_later_is_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "_PAUSE_SECONDS", 0.2)
    with side(tmp_path, pending, ["quick", "slow"], due=9, limit=4, window=WINDOW) as office:
        queue, clock = office.runtime.pull_queue, office.runtime.clock
        (first, *rest) = queue.due("zinc", "quick", clock.now())
        queue.replace("zinc", "quick", [replace(first, next_pull_at=clock.now() + timedelta(seconds=1))])
        assert rest
        reports = office.pulled(seconds=20)
    assert (reports["quick"].accepted, reports["slow"].accepted) == (1, 9)


def test_a_run_asks_all_that_is_due_at_its_start_and_no_more_without_a_bound(tmp_path: Path) -> None:
    with side(tmp_path, pending, ["a"], due=3, limit=600, window=60.0) as office:
        queue, clock = office.runtime.pull_queue, office.runtime.clock
        items = queue.due("zinc", "a", clock.now())
        queue.replace("zinc", "a", [*items[:2], replace(items[2], next_pull_at=clock.now() + timedelta(seconds=30))])
        assert office.pulled()["a"].accepted == 2


@pytest.mark.slow
def test_fifty_accounts_keep_their_windows_and_use_them(tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(50)]
    with side(tmp_path, pending, names, due=15, limit=4, window=5.0) as office:
        started = time.monotonic()
        reports = office.pulled()
        spent = time.monotonic() - started
        arrivals = office.arrivals()
    assert {report.accepted for report in reports.values()} == {15}
    assert max(most_in_a_window(times, 5.0) for times in arrivals.values()) <= 4
    assert spent < 4 * 5.0 / 0.75
