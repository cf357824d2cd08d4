from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import NotWritable, UsageError
from screening_pipeline.report import charts, figures, write
from screening_pipeline.report.page import escaped, share, span
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, publish, session, store
from screening_pipeline.warehouse.session import Connection
from screening_pipeline_tests.support import generated_world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GENERATED_AT = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
HOSTILE = (
    "basic",
    "</style><script>alert('it ran')</script>",
    '"><img src=https://example.com/x onerror=alert(1)>',
)
SECTIONS = {
    "ahead",
    "turnaround",
    "packages",
    "survival",
    "who",
    "ageing",
    "sla",
    "adjudication",
    "afterwards",
    "pulls",
    "quality",
}
# One of all vendors; packages, trend, survival of each; whose time, who holds, ages, decisions, calls.
CHARTS = 1 + 3 * len(all_vendors()) + 5
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with _warehouse(tmp_path_factory.mktemp("filled")) as filled:
        generated_world.fill(filled, checks=240, packages=HOSTILE)
        yield filled


@pytest.fixture(scope="module")
def page_file(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write.write_report(connection, path, generated_at=GENERATED_AT)
    return path


@pytest.fixture(scope="module")
def content(page_file: Path) -> str:
    return page_file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with _warehouse(tmp_path_factory.mktemp("empty")) as made:
        yield made


def test_it_has_every_section_and_a_chart_for_every_vendor(content: str) -> None:
    found = Elements(content)
    assert set(found.ids("section")) == SECTIONS
    assert found.names.count("svg") == CHARTS
    assert found.unclosed == []


def test_it_begins_with_what_will_be_late(content: str) -> None:
    assert content.index("Needed before they will be there") < content.index('<section id="turnaround"')
    assert "Promises that will break" in content


def test_what_is_compared_with_is_counted_like_what_it_is_compared_with(connection: Connection) -> None:
    """The two queries that look thirty days back say, of no days back, what the page says of now."""
    questions = {name: query.replace("to_days(30)", "to_days(0)") for name, query in catalog.questions().items()}
    (now,) = session.rows(connection, questions["stuck_before"])
    (scope,) = session.rows(connection, questions["scope"])
    (broken,) = session.rows(connection, questions["promised"])
    (broken_now,) = session.rows(connection, questions["promised_before"])
    assert (now["open"], now["stuck"]) == (scope["open_checks"], scope["stale"])
    assert scope["stale"] > 0
    assert broken_now["broken"] == broken["broken"] > 0


def test_stuck_and_broken_promises_are_compared_with_the_month_before(connection: Connection, content: str) -> None:
    questions = catalog.questions()
    (scope,), (before,) = (session.rows(connection, questions[name]) for name in ("scope", "stuck_before"))
    more = scope["stale"] - before["stuck"]
    said = f"{'▲' if more > 0 else '▼'} {abs(more):,} against 30 days before" if more else "as 30 days before"
    assert f"longer in a state than usual; {said}" in content
    (promised,), (then,) = (session.rows(connection, questions[name]) for name in ("promised", "promised_before"))
    more = promised["broken"] - then["broken"]
    said = f"{'▲' if more > 0 else '▼'} {abs(more):,} against 30 days before" if more else "as 30 days before"
    assert f"<small>{said}; " in content


def test_packages_have_their_names_and_two_of_one_name_are_told_apart(connection: Connection) -> None:
    names = {HOSTILE[0]: "Standard", HOSTILE[1]: "Standard", HOSTILE[2]: "Executive"}
    rows = [(number, "zinc", "main", code, name) for number, (code, name) in enumerate(names.items())]
    connection.execute("begin; delete from star.dim_package")
    connection.executemany(
        "insert into star.dim_package (package_key, vendor, account, package, package_name) values (?, ?, ?, ?, ?)",
        rows,
    )
    try:
        for question in ("packages", "trend", "groups", "held"):
            found = session.rows(connection, catalog.questions()[question])
            shown = {row["package"] for row in found if row["vendor"] == "zinc"} - {None}
            assert shown == {f"Standard {HOSTILE[0]}", f"Standard {HOSTILE[1]}", "Executive"}, question
        broken = session.rows(connection, catalog.questions()["breaches"])
        assert {row["package"] for row in broken if row["vendor"] == "zinc"} <= set(names.values())
    finally:
        connection.execute("rollback")


def test_figures_are_those_of_their_queries_whatever_is_computed_once_for_several(
    connection: Connection, tmp_path: Path
) -> None:
    publish.publish(connection, tmp_path / "screening.duckdb")
    with session.attached(tmp_path / "screening.duckdb") as snapshot:
        # More months than are shown, many checks in the oldest that is and in the one before it, and some of no month.
        spread = "nullif(check_key // 5 % 20, 19)::integer"
        at = f"date '2026-05-01' - to_months([12, 12, 13, 13, {spread}][check_key % 5 + 1])"
        snapshot.execute(f"update star.fact_turnaround set ordered_month = {at}")
        asked = {name: session.rows(snapshot, query) for name, query in catalog.questions().items()}
        found = figures.collect(snapshot)
    assert {row["month"] for row in found["groups"] if row["month"] and row["median"]} >= {"2025-05"}
    assert len({row["month"] for row in found["groups"]} - {None}) == 13
    assert found.keys() == asked.keys()
    for name, rows in found.items():
        assert list(map(_rounded, rows)) == list(map(_rounded, asked[name])), name


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}


def test_an_empty_warehouse_makes_a_page_that_says_so(empty: Connection) -> None:
    empty_page = write.build_report(empty, generated_at=GENERATED_AT)
    found = Elements(empty_page)
    assert "there is nothing to report" in empty_page
    assert set(found.ids("section")) == SECTIONS
    assert found.names.count("svg") == 0
    assert found.unclosed == []


def test_nothing_that_anybody_wrote_becomes_markup(content: str) -> None:
    found = Elements(content)
    assert "&lt;script&gt;alert(&#x27;it ran&#x27;)&lt;/script&gt;" in content
    assert {"img", "iframe", "link", "object"} & set(found.names) == set()
    assert found.names.count("script") == 3  # the open checks and the groups, as data, and our own
    assert [name for name in found.attributes if name.startswith("on")] == []


def test_the_page_names_no_address_that_could_be_fetched(content: str) -> None:
    found = Elements(content)
    fetching = {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}
    assert {value for name, value in found.pairs if name in fetching} == {f"#{anchor}" for anchor in SECTIONS}
    assert "@import" not in content
    assert set(re.findall(r"url\(([^)]*)\)", content)) <= {f"#{anchor}" for anchor in found.ids()}


def test_what_one_chart_calls_its_own_no_other_chart_uses(content: str) -> None:
    anchors = Elements(content).ids()
    assert len(anchors) == len(set(anchors))


def test_colours_are_those_of_the_page(content: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", content, re.DOTALL)
    colours = {colour for svg in drawings for colour in re.findall(r'(?:fill|stroke)="([^"]+)"', svg)}
    assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none", "transparent"}


def test_the_same_warehouse_makes_the_same_page(connection: Connection, content: str) -> None:
    assert write.build_report(connection, generated_at=GENERATED_AT) == content


def test_a_page_that_cannot_be_written_leaves_the_old_one(empty: Connection, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("the old one", encoding="utf-8")
    (tmp_path / "report.html.part").mkdir()
    with pytest.raises(NotWritable):
        write.write_report(empty, path, generated_at=GENERATED_AT)
    assert path.read_text(encoding="utf-8") == "the old one"


def test_a_snapshot_of_an_earlier_version_says_how_to_renew_it(empty: Connection, tmp_path: Path) -> None:
    publish.publish(empty, tmp_path / "screening.duckdb")
    with session.attached(tmp_path / "screening.duckdb") as earlier:
        earlier.execute("drop view analytics.turnaround_trend")
    with store.reader(tmp_path / "screening.duckdb") as earlier:
        for _ in range(2):  # and the session is as it was
            with pytest.raises(UsageError, match="earlier version; run `screening-pipeline sync`"):
                write.build_report(earlier, generated_at=GENERATED_AT)
        assert earlier.execute("select count(*) from star.fact_check").fetchone() == (0,)


def test_the_page_replaces_the_one_before_it_and_is_its_owners(empty: Connection, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("the old one", encoding="utf-8")
    write.write_report(empty, path, generated_at=GENERATED_AT)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_tables_of_the_demo_agree_in_what_is_open(connection: Connection) -> None:
    turnaround = session.rows(connection, catalog.statement("turnaround_in_short"))
    waiting = session.rows(connection, catalog.statement("open_checks_in_short"))
    counted: Counter[str] = Counter()
    for row in waiting:
        counted[row["vendor"]] += row["open_checks"] if "screening is over" not in str(row["next_actor"]) else 0
    assert sum(counted.values()) > 0
    assert {row["vendor"]: row["n_open"] for row in turnaround if row["n_open"]} == +counted


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (119, "119 s"),
        (150, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (172_800, "2.0 d"),
        (-7200, "-2.0 h"),
    ],
)
def test_lengths_of_time_are_said_as_people_say_them(seconds: float | None, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.5, "50 %"),
        (0.1234, "12.3 %"),
        (0.9996, ">99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_trace_is_not_nothing_and_almost_all_is_not_all(part: float | None, said: str) -> None:
    assert share(part) == said


def test_characters_that_cannot_be_seen_are_shown_by_their_number() -> None:
    assert escaped("a\u202eb\x00<") == "a\\u202eb\\u0000&lt;"


@pytest.mark.parametrize(
    ("longest", "name"),
    [(30, "minutes"), (7199, "minutes"), (7200, "hours"), (172_800, "days"), (10**9, "days")],
)
def test_an_axis_is_in_the_unit_that_its_longest_time_asks_for(longest: float, name: str) -> None:
    assert charts.unit(longest)[1] == name


# ── in a real browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
def test_it_opens_without_an_error_and_asks_nothing_of_any_network(browser: Browser, page_file: Path) -> None:
    page, heard, asked = browser.new_page(), [], []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri(), wait_until="networkidle")
    assert heard == []
    assert asked == [page_file.as_uri()]
    page.close()


@pytest.mark.browser
def test_no_script_but_its_own_may_run(browser: Browser, content: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(content.replace("<main>", "<main><script>document.title = 'it ran'</script>"), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri(), wait_until="networkidle")
    assert page.title() == write.TITLE
    page.close()


@pytest.mark.browser
def test_the_head_counts_anew_for_what_is_chosen(browser: Browser, page_file: Path, connection: Connection) -> None:
    page = _opened(browser, page_file)
    every = page.inner_text("#sentence")
    (open_checks,) = connection.execute("select count(*) from analytics.open_check_ageing").fetchone() or (0,)
    assert every.startswith(f"{open_checks:,} checks are open: ")
    counts = "select vendor, count(*) from analytics.open_check_ageing group by all order by all"
    for vendor, count in connection.execute(counts).fetchall():
        page.select_option("select[name=vendor]", vendor)
        assert re.match(rf"{count} checks? (is|are) open: ", page.inner_text("#sentence"))
        legend = page.locator("#held-bar .legend span:visible b").all_inner_texts()
        assert sum(map(int, legend)) == count
        assert page.locator("#longest tbody tr").count() == min(count, 12)
    page.select_option("select[name=vendor]", "")
    assert page.inner_text("#sentence") == every
    page.close()


@pytest.mark.browser
def test_turnaround_is_shown_for_what_is_chosen_in_either_place(
    browser: Browser, page_file: Path, connection: Connection
) -> None:
    page = _opened(browser, page_file)
    assert (page.locator("#by-vendor").is_visible(), page.locator("#chosen").is_visible()) == (True, False)
    groups = session.rows(connection, catalog.questions()["groups"])
    known = [row for row in groups if row["vendor"] == "zinc" and row["month"] and row["median"] is not None]
    row = next(row for row in known if "script" in row["package"])
    page.select_option("#filters select[name=vendor]", "zinc")
    assert page.locator("#chosen tbody tr").count() == 1, "the whole vendor"
    page.select_option("#turnaround-filters select[name=month]", row["month"])
    packages = [one["package"] for one in groups if one["vendor"] == "zinc" and one["month"] == row["month"]]
    assert page.locator("#chosen tbody tr").count() == len(packages) > 1, "each package of that month"
    page.select_option("#turnaround-filters select[name=package]", row["package"])
    cells = page.locator("#chosen tbody td").all_inner_texts()
    assert cells[:3] == ["Zinc", row["package"], row["month"]], "as text, whatever it says"
    assert cells[3].splitlines()[0] == span(row["median"])
    assert cells[6:9] == [str(row[name]) for name in ("n", "n_completed", "n_open")]
    assert page.input_value("#filters select[name=package]") == row["package"], "both choose together"
    page.select_option("#filters select[name=vendor]", "checkr")
    page.select_option("#filters select[name=month]", "")
    page.select_option("#filters select[name=package]", "")
    page.select_option("#filters select[name=vendor]", "")
    assert (page.locator("#by-vendor").is_visible(), page.locator("#chosen").is_visible()) == (True, False)
    page.close()


@pytest.mark.browser
def test_how_things_are_counted_is_folded_away_on_screen_and_open_on_paper(browser: Browser, page_file: Path) -> None:
    page = _opened(browser, page_file)
    folded = page.locator("#turnaround details p")
    assert not folded.is_visible()
    page.locator("#turnaround summary").click()
    assert folded.is_visible()
    page.close()
    page = _opened(browser, page_file)
    page.emulate_media(media="print")
    assert page.locator("#turnaround details p").bounding_box()
    page.close()


@pytest.mark.browser
def test_the_question_is_answered_on_the_first_screen(browser: Browser, page_file: Path) -> None:
    page = _opened(browser, page_file, viewport={"width": 1440, "height": 900})
    for part in (".strip", "#sentence", "#held-bar", "#whose-bar"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900, part
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_and_words_can_be_read_in_both_themes(browser: Browser, page_file: Path, scheme: Any) -> None:
    page = _opened(browser, page_file, color_scheme=scheme)
    paper = _lightness(page, "document.body", "backgroundColor")
    assert paper > 0.9 if scheme == "light" else paper < 0.2
    for words in ("document.querySelector('td')", "document.querySelector('svg text')"):
        what = "fill" if "svg" in words else "color"
        assert abs(_lightness(page, words, what) - paper) > 0.4
    page.close()


@pytest.mark.browser
def test_every_chart_is_drawn_where_it_can_be_seen(browser: Browser, page_file: Path) -> None:
    page = _opened(browser, page_file)
    sizes = page.evaluate(
        "[...document.querySelectorAll('figure svg')]"
        ".map(svg => [svg.clientWidth, svg.clientHeight, svg.textContent.length])"
    )
    assert len(sizes) == CHARTS
    assert all(width > 200 and height > 60 and letters > 5 for width, height, letters in sizes)
    page.close()


@pytest.mark.browser
def test_a_phone_scrolls_down_and_never_sideways(browser: Browser, page_file: Path) -> None:
    page = _opened(browser, page_file, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    outside = "[...document.querySelectorAll('figure')].filter(f => f.getBoundingClientRect().right > innerWidth)"
    assert page.evaluate(f"{outside}.length") == 0
    smallest = (
        "Math.min(...[...document.querySelectorAll('svg text')].map("
        "t => parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getScreenCTM().a))"
    )
    assert page.evaluate(smallest) > 9.5
    page.close()


@pytest.mark.browser
def test_paper_is_white_whatever_the_screen_and_nothing_is_cut_off(browser: Browser, page_file: Path) -> None:
    page = _opened(browser, page_file, color_scheme="dark", viewport={"width": 703, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    assert _lightness(page, "document.body", "backgroundColor") == 1.0
    assert page.evaluate("document.documentElement.scrollWidth") == 703
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    page.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing(browser: Browser, page_file: Path, scheme: Any, size: Any) -> None:
    """Everything folded out and something chosen, so that all of the page is there to be looked at."""
    from axe_playwright_python.sync_playwright import Axe

    page = _opened(browser, page_file, color_scheme=scheme, viewport=size)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.select_option("#filters select[name=vendor]", "zinc")
    found = Axe().run(page).response
    problems = [(one["impact"], one["id"], one["nodes"][0]["target"]) for one in found["violations"]]
    assert problems == []
    assert len(found["passes"]) > 20, "it has looked"
    page.close()


def _opened(browser: Browser, path: Path, **options: Any) -> Page:
    page = browser.new_page(**options)
    page.goto(path.as_uri())
    return page


def _lightness(page: Page, element: str, what: str) -> float:
    """How light a computed colour is, from 0 to 1."""
    colour = page.evaluate(f"getComputedStyle({element}).{what}")
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return (red + green + blue) / 765


def _warehouse(folder: Path) -> Any:
    return store.writer(folder / "warehouse.duckdb", lock_path=folder / "lock", clock=SystemClock())


class Elements(HTMLParser):
    """What a page consists of: the names of its elements, and their attributes."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, content: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.unclosed: list[str] = []
        self.pairs: list[tuple[str, str | None]] = []
        self._found: list[tuple[str, str]] = []
        self.feed(content)
        self.close()

    @property
    def attributes(self) -> list[str]:
        return [name for name, _ in self.pairs]

    def ids(self, element: str | None = None) -> list[str]:
        return [anchor for name, anchor in self._found if element in (None, name)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in self.VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed
        assert self.unclosed.pop() == tag

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.pairs += attrs
        self._found += [(tag, value) for name, value in attrs if name == "id" and value]
