"""What every landing store promises: files of one machine, and pieces that several share, in a folder or a bucket."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, PlaceOutOfReach
from screening_pipeline.cli.doctor_cluster import _folder
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.http.feed import Feed
from screening_pipeline.landing import shared_store
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.calls import Call
from screening_pipeline.landing.day_seals import Seals
from screening_pipeline.landing.interface import LandingStore, Waiting
from screening_pipeline.landing.objects import objects_at
from screening_pipeline.landing.shared_store import SharedStore
from screening_pipeline.state.postgres_landing import PostgresLanding
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline_tests.support.object_store import object_store
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.soak_world import small_disk

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SPOOL_KEY, LANDING_KEY = b"the spool key of a test", b"the landing key of a test"
US = ("workerchecks", "us")
numbers = itertools.count()


def said(check_id: str, *, at: datetime = NOON, channel: str = "pull", account: str = "us") -> HttpExchange:
    return HttpExchange(
        response_id=f"{at:%Y%m%dT%H%M%S%f}Z-{next(numbers):016x}-0000",
        vendor="workerchecks",
        account=account,
        subject="check",
        check_id=check_id,
        endpoint="results",
        channel=channel,
        requested_at=at,
        received_at=at,
        run_id="test",
        http_status=200,
        body=json.dumps({"checkId": check_id, "status": "Pending"}).encode(),
    )


@dataclass
class World:
    """A landing area as its machines see it, and what a warehouse has read of it."""

    machine: Callable[[str], Landing]
    clock: ManualClock
    everything: Callable[[], bytes]

    def __post_init__(self) -> None:
        self.one, self.other = self.machine("one"), self.machine("other")
        self.seals: Seals = {}
        self.read: dict[str, int] = {}

    def news(self) -> list[str]:
        """The ids that the next merge finds, on whichever machine; then they are read."""
        found = self.other.look(self.seals, lambda folder: _below(folder, self.read))
        texts = b"".join(self.other.read(tail) for tail in found.tails)
        self.seals = found.seals
        self.read |= {tail.file: tail.end for tail in found.tails}
        return sorted(json.loads(line)["check_id"] for line in texts.splitlines() if line.strip())


def _below(folder: str, read: dict[str, int]) -> dict[str, int]:
    return {file: size for file, size in read.items() if file.startswith(f"{folder}/")}


@pytest.fixture(
    params=[
        "files",
        pytest.param("folder", marks=pytest.mark.cluster),
        pytest.param("bucket", marks=pytest.mark.cluster),
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Of files there is one machine only, whatever the others are called."""
    clock = ManualClock(NOON)
    if request.param == "files":
        root = tmp_path / "landing"
        yield World(lambda _: machine(root, clock, None), clock, lambda: below(root))
        return
    server: Server = request.getfixturevalue("postgres_server")
    url = server.new_database()

    def sharing(place: str) -> Callable[[str], Landing]:
        return lambda name: machine(tmp_path / name, clock, shared(url, place, tmp_path / name, clock))

    if request.param == "folder":
        yield World(sharing(f"file://{tmp_path}/pieces"), clock, lambda: below(tmp_path / "pieces"))
        return
    with object_store() as store:
        for name, value in store.environ.items():
            monkeypatch.setenv(name, value)
        place = store.new_bucket(f"landing-{uuid4().hex}")
        yield World(sharing(f"{place}below/here"), clock, lambda: contents(place))


def machine(root: Path, clock: ManualClock, store: LandingStore | None) -> Landing:
    keys = {"spool_key": SPOOL_KEY, "landing_key": LANDING_KEY}
    return Landing(root, vendors=all_vendors(), clock=clock, store=store, **keys)  # type: ignore[arg-type]


def shared(url: str, place: str, root: Path, clock: ManualClock) -> SharedStore:
    rows = PostgresLanding(url, "SCREENING_STATE_URL")
    return SharedStore(rows, objects_at(place), root=root, spool_key=SPOOL_KEY, holder=root.name, clock=clock)


def below(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*.ndjson")))


def contents(place: str) -> bytes:
    objects = objects_at(place.rstrip("/"))
    return b"".join(objects.get(name) for name in objects.names() if name.endswith(".ndjson"))


@pytest.fixture
def sharing(world: World) -> World:
    """Only where several machines share."""
    if not isinstance(world.one.store, SharedStore):
        pytest.skip("of one machine only")
    return world


def store_of(landing: Landing) -> SharedStore:
    assert isinstance(landing.store, SharedStore)
    return landing.store


def test_what_one_machine_lands_another_reads_once(world: World) -> None:
    world.one.receive(said("a"))
    world.one.receive_together([said("b"), said("c")])
    world.other.receive(said("d", account="uk"))
    assert world.news() == ["a", "b", "c", "d"]
    assert world.news() == []
    world.one.receive(said("e"))
    assert world.news() == ["e"]
    assert world.news() == []


def test_a_line_of_a_day_that_is_over_is_found_and_days_that_follow_are(world: World) -> None:
    world.one.receive(said("old", at=NOON - timedelta(days=40)))
    world.one.receive(said("now"))
    assert world.news() == ["now", "old"]
    world.one.receive(said("late", at=NOON - timedelta(days=40)))
    assert world.news() == ["late"]
    for day in range(1, 6):
        world.clock.sleep(86_400)
        world.one.receive(said(f"day {day}", at=NOON + timedelta(days=day)))
        assert world.news() == [f"day {day}"]
        assert world.news() == []


def test_what_is_gained_is_told_before_it_is_read_and_not_after(world: World) -> None:
    assert world.one.gained(world.seals) == {}
    world.one.receive(said("a"))
    assert sum(world.other.gained(world.seals).values()) > 0
    world.news()
    assert world.other.gained(world.seals) == {}


def test_what_comes_again_is_landed_once(world: World) -> None:
    fed = said("a", channel="feed")
    assert world.one.receive_once(fed) == world.one.receive_once(fed) == world.one.receive_once(fed)
    assert world.news() == ["a"]
    assert world.one.receive_once(fed).told
    assert world.news() == []


def test_what_a_crash_left_in_the_spool_is_landed_once_by_whoever_comes_next(world: World) -> None:
    before, after = said("before", channel="push"), said("after", channel="push")
    spool = world.one.store.spool
    spool.put(before)  # killed here
    world.one.receive(after)
    spool.put(after)  # or here, with its line written
    assert {landed.response_id for landed in world.other.recover()} == {before.response_id}
    assert world.other.recover() == []
    assert world.news() == ["after", "before"]
    assert list(spool.waiting()) == []


def test_an_erasure_leaves_nothing_of_a_check_and_all_of_the_others(world: World) -> None:
    for name in ("keep", "gone", "keep too"):
        world.one.receive(said(name, at=NOON - timedelta(days=9)))
    world.news()
    world.one.receive(said("gone"))
    world.one.receive(said("keep as well"))
    assert world.other.erase(*US, {("check", "gone")}) == 2
    world.other.store.forget_leftovers()
    texts = [line for tail in world.one.look({}).tails for line in world.one.read(tail).splitlines()]
    assert sorted(json.loads(line)["check_id"] or "-" for line in texts) == [
        "-",
        "-",
        "keep",
        "keep as well",
        "keep too",
    ]
    assert b"gone" not in b"".join(texts)
    assert [*world.other.damages()] == []


def test_lines_are_encrypted_where_they_lie_and_damage_is_told(world: World) -> None:
    world.one.receive(said("a"))
    world.news()
    stored = world.everything()
    assert stored
    assert b"workerchecks" not in stored


def test_a_call_of_a_feed_whose_machine_does_not_come_back_is_told_once(sharing: World) -> None:
    one, other = (landing.store.calls(*US) for landing in (sharing.one, sharing.other))
    one.note(Call("c1", "feed", "run", datetime(2020, 1, 1, tzinfo=UTC)))
    one.note(Call("c2", "feed", "run", datetime.now(UTC)))
    assert one.lost(60) == []
    assert [call.id for call in other.lost(60)] == ["c1"], "the other one may still be answered"
    other.give_up("c1", b"{}")
    assert other.lost(60) == []
    assert one.gaps() == other.gaps() == [b"{}"]
    one.drop_gap("c1")
    assert other.gaps() == []
    assert one.mine() == ["c1", "c2"]
    one.forget("c1")
    assert (one.mine(), other.mine()) == (["c2"], [])


def test_nothing_more_is_asked_for_where_too_much_waits_and_what_is_pushed_is_taken(
    sharing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(sharing.one)
    assert store.waiting() == Waiting(0, None, 0)
    sharing.one.receive(said("a"))
    store.require_room()
    waiting = store.waiting()
    assert (waiting.lines, waiting.since, waiting.bytes > 0) == (1, NOON, True)
    monkeypatch.setattr(shared_store, "MOST_WAITING_BYTES", 100)
    with pytest.raises(EnvironmentFailed, match=r"wait in the database.*nothing more is asked for"):
        store.require_room()
    with pytest.raises(EnvironmentFailed, match="nothing more is asked for"), sharing.one.reserve(1):
        pass
    sharing.one.receive(said("b", channel="push"))
    assert sharing.news() == ["a", "b"]
    store.require_room()


@pytest.mark.cluster
def test_a_mounted_folder_that_became_read_only_keeps_lines_waiting_and_loses_none(
    tmp_path: Path, postgres_server: Server
) -> None:
    clock, url = ManualClock(NOON), postgres_server.new_database()
    with small_disk(tmp_path / "mounted", 4) as is_mounted:
        if not is_mounted:
            pytest.skip("only root may mount a disk")
        place = f"file://{tmp_path}/mounted/pieces"
        world = World(
            lambda name: machine(tmp_path / name, clock, shared(url, place, tmp_path / name, clock)), clock, bytes
        )
        world.one.receive(said("a"))
        assert world.news() == ["a"]
        mount("ro", tmp_path / "mounted")
        world.one.receive(said("b"))
        for _ in range(2):
            with pytest.raises(PlaceOutOfReach, match=r"landing\.url: Read-only file system") as told:
                world.news()
        assert told.value.exit_code == 3
        assert _folder("landing.url", tmp_path / "mounted").level == "fail"
        world.one.receive(said("c", channel="push"))
        mount("rw", tmp_path / "mounted")
        assert world.news() == ["b", "c"]
        assert world.news() == []


def mount(how: str, folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_pieces_that_a_crash_left_are_read_by_nobody_and_swept(sharing: World) -> None:
    def dies(_: object) -> None:
        raise KeyboardInterrupt

    store = store_of(sharing.one)
    sharing.one.receive(said("a"))

    def put_and_die(pieces: list[tuple[str, bytes]]) -> None:
        for name, content in pieces:
            store._objects.put_new(f"{name}.of-the-dead.ndjson", content)
            dies(name)

    with pytest.raises(KeyboardInterrupt):
        store._rows.seal(put_and_die)  # type: ignore[arg-type]
    left = sharing.everything()
    assert left
    assert sharing.news() == ["a"]
    assert sharing.news() == []
    store.forget_leftovers()
    assert len(sharing.everything()) == len(left), "what counts is still there, what does not is not"


def test_what_is_no_piece_of_ours_is_not_swept_nor_is_a_place_that_others_use(sharing: World) -> None:
    objects, store = store_of(sharing.one)._objects, store_of(sharing.one)
    objects.put_new("orders/orders.csv", b"somebody else's")
    objects.put_new("lake/main/2026-03-02/data.parquet", b"theirs as well")
    store.forget_leftovers()
    assert objects.get("orders/orders.csv") == b"somebody else's"
    assert objects.get("lake/main/2026-03-02/data.parquet") == b"theirs as well"
    objects.replace("landing.owner", b"another database")
    with pytest.raises(ConfigurationError, match=r"another database than that of state\.url_env") as told:
        store.forget_leftovers()
    assert told.value.exit_code == 2


def test_a_feed_puts_the_call_of_a_machine_that_is_gone_on_record_for_all(sharing: World) -> None:
    machines, declared = (sharing.one, sharing.other), vendor("hireright")
    here, there = (Feed(landing, declared, "us", clock=sharing.clock) for landing in machines)
    gone = Call("20200101T000000000000Z-0-0000", "status_updates", "run", datetime(2020, 1, 1, tzinfo=UTC))
    sharing.one.store.calls("hireright", "us").note(gone)
    files = there.recover()
    assert [(gap.id, gap.reason) for gap in files.gaps] == [(gone.id, "interrupted")]
    assert [gap.id for gap in here.gaps()] == [gone.id]
    assert here.recover().gaps == files.gaps, "who told of it and did not make it has nothing to add"
    assert sharing.one.store.calls("hireright", "us").mine() == []
    there.acknowledge(files.gaps[0])
    assert here.gaps() == ()


def test_several_seal_and_land_at_once_and_each_line_is_read_once(sharing: World) -> None:
    def land(number: int) -> None:
        landing = (sharing.one, sharing.other)[number % 2]
        landing.receive(said(f"{number:03}"))
        if number % 5 == 0:
            store_of(landing).seal()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(land, range(90)))
    assert sharing.news() == [f"{number:03}" for number in range(90)]


def test_a_place_that_cannot_be_reached_keeps_lines_where_they_are(
    sharing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(sharing.other)
    sharing.one.receive(said("a"))
    with monkeypatch.context() as changed:
        changed.setattr(store, "_objects", objects_at("file:///proc/no-such-place"))
        with pytest.raises(EnvironmentFailed, match=r"landing\.url"):
            sharing.news()
    assert sharing.news() == ["a"]


@pytest.mark.parametrize("url", ["http://bucket/x", "s3://", "file://host/x", "bucket"])
def test_a_place_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"landing\.url: must be s3://"):
        objects_at(url)
