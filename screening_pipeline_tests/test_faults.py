"""What becomes of each fault of the sandbox: said by the real client, the landing area and the feed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from screening_pipeline.base.clock import StandingClock, SystemClock
from screening_pipeline.cycle import take_orders
from screening_pipeline.cycle.pull import pull_account
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.health.status import status_report
from screening_pipeline.http.batch import AccountOutcome, Pull
from screening_pipeline.http.client import AccountClient
from screening_pipeline.http.feed import Feed
from screening_pipeline.http.feed_record import DrainResult, FeedLimits
from screening_pipeline.http.transport import Limits
from screening_pipeline.landing.area import Landing
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.sandbox.faults import KINDS
from screening_pipeline.sandbox.handle import Sandbox, running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline_tests.support.loopback import Loopback, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import account as scene_account

PATIENT, HURRIED = 10.0, 0.4


def limits(kind: str) -> Limits:
    return Limits(deadline=deadline(kind), retries=1, backoff=0.01, patience=0.5)


def deadline(kind: str) -> float:
    return HURRIED if kind == "stalled" else PATIENT


# What stands in the landing area after one call, tried twice where that is worth it: (failure, reject, status).
Outcome = tuple[str | None, str | None, int | None]
ANSWERED: set[Outcome] = {(None, None, 200)}
CHECK_FAULTS: dict[str, set[Outcome]] = {
    "reset": {("read", None, None)},
    "cut_before_body": {("truncated", None, 200)},
    "cut_in_body": {("truncated", None, 200)},
    "hung_up": ANSWERED,
    "dripping": ANSWERED,
    "stalled": {("timeout", None, 200)},
    "throttled": {(None, None, 429)},
    "throttled_silently": {(None, None, 429)},
    "html": {(None, "html", 200)},
    "other_type": {(None, "content_type", 200)},
    "deep": {(None, "too_deep", 200)},
    "huge": {("too_large", None, 200)},
    "gzip_bomb": {("too_large", None, 200)},
    "redirect": {("redirect", None, 307)},
    "truncated": {(None, "truncated", 200)},
    "not_utf8": {(None, "not_utf8", 200)},
    "nan": {(None, "not_finite", 200)},
    "duplicate_key": {(None, "duplicate_key", 200)},
    "half_compressed": {("truncated", None, 200)},
    "another_check": {(None, "id_mismatch", 200)},
}
TRIED_AGAIN = {"reset", "cut_before_body", "cut_in_body", "stalled", "half_compressed", "server_error"}


@dataclass
class Site:
    """A sandbox process and a pipeline's client side for it."""

    sandbox: Sandbox
    settings: Settings
    elsewhere: Loopback

    def client(self, slug: str, folder: Path, sunk: list[HttpExchange], kind: str = "") -> AccountClient:
        account = self.settings.account(slug, None)
        landing = landing_at(folder)

        async def sink(exchange: HttpExchange) -> LandingReceipt:
            sunk.append(exchange)
            return landing.receive(exchange)

        return AccountClient(
            account,
            vendor(slug),
            secrets=account.secrets({}),
            limiter=Limiter(State(folder / "state.sqlite"), SystemClock()),
            clock=SystemClock(),
            sink=sink,
            run_id="run",
            limits=limits(kind),
        )

    def some(self, slug: str, subject: str, count: int) -> list[Pull]:
        ids = [r["check_id"] for r in self.sandbox.truth() if (r["vendor"], r["subject"]) == (slug, subject)]
        return [Pull(subject=subject, check_id=check_id) for check_id in ids[:count]]

    def pull(
        self, slug: str, subject: str, folder: Path, count: int = 1, *, kind: str = ""
    ) -> tuple[AccountOutcome, list[HttpExchange]]:
        sunk: list[HttpExchange] = []
        if kind:
            self.sandbox.set_faults(1, kind)

        async def run() -> AccountOutcome:
            async with self.client(slug, folder, sunk, kind) as client:
                return await client.pull_all(self.some(slug, subject, count))

        return asyncio.run(run()), sunk

    def drain(self, folder: Path, kind: str = "") -> DrainResult:
        """Drain the feed; the call for a token goes well, and the calls of the feed go wrong like `kind`."""
        limits = FeedLimits(deadline=deadline(kind), calls=3)
        feed = Feed(landing_at(folder), vendor("hireright"), "sandbox", clock=SystemClock(), limits=limits)

        async def run() -> DrainResult:
            async with self.client("hireright", folder, []) as client:
                await client.authorization()
                if kind:
                    self.sandbox.set_faults(1, kind)
                return await feed.drain(client, run_id="run")

        drained = asyncio.run(run())
        self.sandbox.set_faults(0)
        return drained


def landing_at(folder: Path) -> Landing:
    return Landing(folder / "landing", vendors=all_vendors(), spool_key=b"spool key of the tests", clock=SystemClock())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
    with (
        serving(lambda _: Reply()) as elsewhere,
        running_sandbox(virtual=True, checks=60, limit_factor=None, fault_elsewhere=elsewhere.url) as sandbox,
    ):
        sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=20))
        yield Site(sandbox, bundled_sandbox.at(settings, sandbox.url), elsewhere)


@pytest.fixture(autouse=True)
def _peace_afterwards(site: Site) -> Iterator[None]:
    yield
    site.sandbox.set_faults(0)


def landed(folder: Path) -> list[dict[str, object]]:
    files = sorted((folder / "landing").glob("*/*/*.ndjson"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_every_fault_has_its_test() -> None:
    elsewhere = {"refused", "server_error", "expired", "revoked"}
    assert set(KINDS) == set(CHECK_FAULTS) | elsewhere


@pytest.mark.parametrize("kind", CHECK_FAULTS)
def test_what_comes_of_a_fault_is_on_record_with_its_reason(site: Site, tmp_path: Path, kind: str) -> None:
    site.pull("zinc", "request", tmp_path, kind=kind)
    lines = landed(tmp_path)
    assert {(line["failure"], line["reject"], line["http_status"]) for line in lines} == CHECK_FAULTS[kind]
    assert len(lines) == (2 if kind in TRIED_AGAIN else 1)
    is_told = [bool(line["messages"]) for line in lines]
    assert is_told == [CHECK_FAULTS[kind] == ANSWERED] * len(lines)
    assert site.elsewhere.asked == []


def test_a_server_in_trouble_is_asked_again_whatever_its_trouble(site: Site, tmp_path: Path) -> None:
    outcome, sunk = site.pull("zinc", "request", tmp_path, count=4, kind="server_error")
    assert (outcome.failed, len(sunk)) == (4, 8)
    assert {exchange.http_status for exchange in sunk} == {500, 502, 503, 504}


def test_where_nobody_listens_for_a_moment_the_next_try_comes_through(site: Site, tmp_path: Path) -> None:
    outcome, sunk = site.pull("goodhire", "report", tmp_path, kind="refused")
    assert outcome.failed == 1
    assert sunk[0].failure == "read"
    assert {exchange.failure for exchange in sunk} <= {"read", "connect"}
    site.sandbox.set_faults(0)
    assert site.pull("goodhire", "report", tmp_path)[0].accepted == 1


@pytest.mark.parametrize("slug", ["hireright", "workerchecks"])
@pytest.mark.parametrize("kind", ["expired", "revoked"])
def test_a_token_that_is_worth_nothing_any_more_is_renewed_once(
    site: Site, tmp_path: Path, slug: str, kind: str
) -> None:
    subject = vendor(slug).default_subject
    outcome, sunk = site.pull(slug, subject, tmp_path, count=2, kind=kind)
    assert [exchange.http_status for exchange in sunk if exchange.http_status != 401] == []
    assert (outcome.code, outcome.accepted) == ("unauthorized", 0)
    site.sandbox.set_faults(0)
    assert site.pull(slug, subject, tmp_path / "later", count=2)[0].accepted == 2


@pytest.mark.parametrize("slug", ["hireright", "workerchecks"])
@pytest.mark.parametrize("kind", ["html", "not_utf8", "deep", "redirect", "reset", "huge", "stalled", "server_error"])
def test_a_spoiled_answer_to_a_call_for_a_token_ends_the_batch_with_a_reason(
    site: Site, tmp_path: Path, slug: str, kind: str
) -> None:
    outcome, sunk = site.pull(slug, vendor(slug).default_subject, tmp_path, count=2, kind=kind)
    assert outcome.code in ("token_unreadable", "token_unavailable")
    assert (outcome.left, sunk) == (2, [])
    assert site.elsewhere.asked == []


FEED_REASONS = {
    "cut_before_body": "truncated",
    "cut_in_body": "truncated",
    "stalled": "timeout",
    "truncated": "truncated",
    "half_compressed": "truncated",
    "not_utf8": "not_utf8",
    "nan": "not_finite",
    "duplicate_key": "duplicate_key",
    "reset": "read",
    "server_error": "http_50",
    "html": "html",
    "other_type": "content_type",
    "deep": "too_deep",
    "huge": "too_large",
    "gzip_bomb": "too_large",
}
NOT_HANDED_OUT = {"throttled", "redirect"}


@pytest.mark.parametrize("kind", [*FEED_REASONS, *sorted(NOT_HANDED_OUT)])
def test_what_the_feed_handed_out_and_a_fault_took_is_a_gap_on_record(site: Site, tmp_path: Path, kind: str) -> None:
    before = site.sandbox.stats()
    site.sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=20, minutes=len(before["faults"]) + 1))
    reasons = [gap.reason for gap in site.drain(tmp_path, kind).gaps]
    after = site.sandbox.stats()
    assert after["faults"][kind] == before["faults"].get(kind, 0) + 1
    if kind in NOT_HANDED_OUT:
        assert reasons == []
        assert after["feed"] == before["feed"]
    else:
        assert [reason.startswith(FEED_REASONS[kind]) for reason in reasons] == [True]


def test_what_is_lost_of_the_feed_is_known_to_the_sandbox(tmp_path: Path) -> None:
    with running_sandbox(virtual=True, checks=40, limit_factor=None) as sandbox:
        settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(tmp_path)}, tmp_path)
        site = Site(sandbox, bundled_sandbox.at(settings, sandbox.url), Loopback(""))
        sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=10))
        assert site.drain(tmp_path, "not_utf8").is_in_doubt
        first = sandbox.stats()
        assert first["feed"]["lost"] == first["feed"]["handed_out"] > 0
        assert first["told_over"] == 0
        sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=15))
        assert site.drain(tmp_path).messages == sandbox.stats()["feed"]["handed_out"] - first["feed"]["handed_out"]


def test_a_gap_has_every_open_check_asked_for_also_by_a_run_that_was_to_ask_the_feed_alone(tmp_path: Path) -> None:
    with running_sandbox(virtual=True, checks=40, limit_factor=None) as sandbox:
        settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(tmp_path)}, tmp_path)
        settings.paths.create()
        (tmp_path / "sandbox").mkdir()
        now = VIRTUAL_EPOCH + timedelta(days=10)
        sandbox.set_clock(now)
        work = build_runtime(bundled_sandbox.at(settings, sandbox.url), {}, StandingClock(now))
        bundled_sandbox.announce(work.settings, sandbox, until=now)
        take_orders.take_orders(work, run_id="orders")
        account = work.settings.account("hireright", None)
        open_checks = work.pull_queue.summary("hireright", account.name, now).open
        assert open_checks
        feed = Feed(work.landing, vendor("hireright"), account.name, clock=work.clock)
        client = Site(sandbox, work.settings, Loopback("")).client("hireright", tmp_path, [])

        async def spoiled() -> DrainResult:
            async with client:
                await client.authorization()
                sandbox.set_faults(1, "not_utf8")
                return await feed.drain(client, run_id="spoiled")

        assert asyncio.run(spoiled()).is_in_doubt
        sandbox.set_faults(0)
        report = pull_account(work, account, run_id="feed", endpoints={"status_updates"})
        assert report.gaps
        assert report.calls >= open_checks - report.feed_messages  # but for those that the feed has told of since
        assert report.calls > 0


def test_the_same_seed_spoils_the_same_requests(tmp_path: Path) -> None:
    def spoiled(seed: int, folder: Path) -> Counter[str]:
        with running_sandbox(virtual=True, checks=60, limit_factor=None, faults=0.5, fault_seed=seed) as sandbox:
            sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=20))
            sandbox.set_faults(0.5, "html", "nan", "truncated", "not_utf8")
            settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
            Site(sandbox, bundled_sandbox.at(settings, sandbox.url), Loopback("")).pull(
                "zinc", "request", folder, count=9
            )
            return Counter(sandbox.stats()["faults"])

    first = spoiled(1, tmp_path / "a")
    assert first == spoiled(1, tmp_path / "b")
    assert sum(first.values()) > 1


def test_a_rate_that_is_none_and_a_kind_that_does_not_exist_are_refused(site: Site) -> None:
    from urllib.error import HTTPError

    for rate, kinds in ((1.5, ()), (0.5, ("gremlins",))):
        with pytest.raises(HTTPError, match="400"):
            site.sandbox.set_faults(rate, *kinds)


def test_a_secret_that_a_vendor_quotes_is_in_no_file(tmp_path: Path) -> None:
    names = {"webhook_signing_token": "SIGNING", "api_key": "ZINC_KEY"}
    environ = {"ZINC_KEY": "canary-key-of-zinc", "SIGNING": "canary-token-of-zinc"}
    quoting = json_reply({"error": f"{environ['ZINC_KEY']} and {environ['SIGNING']} are not valid"}, 400)
    with serving(lambda _: quoting) as server:
        account = replace(scene_account("zinc"), base_url=server.url, secret_names=names)
        paths = Paths.under(tmp_path, {})
        paths.create()
        work = build_runtime(Settings(accounts=(account,), paths=paths), environ, SystemClock())
        (paths.orders / "orders.csv").write_text("vendor,check_id\nzinc,z1\n")
        take_orders.take_orders(work, run_id="orders")
        assert pull_account(work, account, run_id="pull", is_full=True).failed == 1
    (landed,) = paths.landing.glob("*/*/*.ndjson")
    assert "*** and *** are not valid" in landed.read_text()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()] == []


def test_a_vendor_that_knows_none_of_our_ids_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    with serving(lambda _: json_reply({"error": "not found"}, 404)) as server:
        account = replace(scene_account("zinc"), base_url=server.url, secret_names={"api_key": "ZINC_KEY"})
        paths = Paths.under(tmp_path, {})
        paths.create()
        work = build_runtime(Settings(accounts=(account,), paths=paths), {"ZINC_KEY": "a key"}, SystemClock())
        rows = "".join(f"zinc,stranger-{number}\n" for number in range(3))
        (paths.orders / "orders.csv").write_text(f"vendor,check_id\n{rows}")
        take_orders.take_orders(work, run_id="orders")
        report = pull_account(work, account, run_id="pull", is_full=True)
    assert (report.missing, report.code, report.needs_attention) == (3, "knows_none", True)
    assert "base_url" in str(report.message)
    (standing,) = status_report(work.settings, work.environ, work.clock).accounts
    assert (standing.knows_none, standing.needs_attention) == (True, True)
    assert "knows none of the ids" in standing.words()["trouble"]
