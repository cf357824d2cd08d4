"""What every test may rely on: a clean environment, no way out of this machine, the same examples always."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from screening_pipeline_tests.support import postgres
from screening_pipeline_tests.support.commands import Commands, serving_commands

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OURS = ("SCREENING_", "SANDBOX_", "DAGSTER_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

SLOW_TESTS = frozenset((Path(__file__).parent / "slow_tests.txt").read_text(encoding="utf-8").splitlines())
# The files that take longest.
LONGEST = ("test_erasure", "test_cli", "test_kills", "test_automation", "test_rebuild")

_left_out: set[str] = set()

# No deadline and no stored examples: neither a slow machine nor an earlier run decides the outcome.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, print_blob=True)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Forget the settings of the person who runs the tests, for this process and all it starts."""
    for name in list(os.environ):
        if name.startswith(OURS) or name.lower() in PROXIES:
            del os.environ[name]
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    sys.addaudithook(_stay_on_this_machine)


@pytest.hookimpl(tryfirst=True)  # before any are chosen by their markers
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark as slow what was measured to be."""
    if f"{item.path.name}::{item.name.partition('[')[0]}" in SLOW_TESTS:
        item.add_marker("slow")


@pytest.hookimpl(trylast=True)  # after they were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that workers end together; skip what needs a program where there is none."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    if (reason := postgres.why_missing()) is not None:
        for item in items:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.skip(reason=reason))
    if _browser() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no headless Chromium is installed"))


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note the slow tests that are left out."""
    _left_out.update(item.nodeid for item in items if item.get_closest_marker("slow"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Have a worker tell what it left out: each of them collects everything."""
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["left_out"] = sorted(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a worker left out."""
    _left_out.update(getattr(node, "workeroutput", {}).get("left_out", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in which order tests were tried, and what `make test` leaves to `make test-all`."""
    if (seed := config.getoption("randomly_seed", None)) is not None:
        terminalreporter.write_line(f"to try the tests in this order again: --randomly-seed={seed}")
    if _left_out and config.option.markexpr == "not slow":
        per_file = Counter(Path(one.split("::")[0]).name for one in _left_out)
        names = ", ".join(f"{name} {count}" for name, count in sorted(per_file.items()))
        terminalreporter.write_line(f"left to `make test-all`: {per_file.total()} slow tests ({names})")


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Runs the command line in processes that are forked, and not started anew."""
    with serving_commands() as found:
        yield found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A running PostgreSQL; ask for it in tests marked `cluster`."""
    with postgres.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The Chromium to drive; ask for it in tests marked `browser`."""
    found = _browser()
    assert found is not None, "mark the test with pytest.mark.browser"
    return found


@pytest.fixture
def browser(browser_path: Path) -> Iterator[Browser]:
    """That Chromium, running. Playwright keeps an event loop as long: no longer than one test, or others had none."""
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox cannot be set up by root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser_path, args=options)
        yield opened
        opened.close()


def _browser() -> Path | None:
    found = (shutil.which(name) for name in BROWSERS)
    return next((Path(path) for path in found if path), None)


def _stay_on_this_machine(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(address := arguments[1], tuple) and not _is_here(address[0]):
        pytest.fail(f"a test tried to reach {address[0]}: tests talk to loopback only")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
