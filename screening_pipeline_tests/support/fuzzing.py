"""Mutated answers of every vendor, through the guard and the typed scan into the star; and what must hold of it.

    python -m screening_pipeline_tests.support.fuzzing [--cases 100000] [--seed 1]

What a case breaks is named with its seed and number, so that it can be had again.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from screening_pipeline.domain.declaration import aliases
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.judge import REASONS, AcceptedMessage, Examined, examine
from screening_pipeline.landing.line import line_of
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse import catalog
from screening_pipeline_tests.support.stage import MORNING, Stage, channel_of, is_called_back, staged

EXAMPLES = Path(__file__).parent.parent / "vendors"
CANARY = "Zanzibar-Canary"
BATCH, STAGE = 2_500, 10_000
IDS = {key for declared in all_vendors().values() for r in declared.records.values() for key in aliases(r.id)}
TYPES = ("application/json", "application/json; charset=utf-8", "text/plain", "text/html", "application/xml", "")
# Where an answer names what its check led to.
LINKS = {
    f"{subject}_id" for declared in all_vendors().values() for subject, r in declared.records.items() if r.continues
}

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, 1e308, 401, [], {}, [[]], [None], {"a": {}}),
    *("", " ", "null", "New", "Completed", "clear", "Refer", "all-clear", CANARY, f"<b>{CANARY}</b>"),
    *("2026-13-99T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "\x00", "\u202e", "é", "\ud800"),
)
DAMAGE = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"NaN",
    b"\\ud800",
    b"1e999",
)

# The checks, each with the subject whose words it bears: those of what led to it, until it has spoken for itself.
SPOKEN = """(
            select f.*, coalesce(s.subject, f.subject) as spoken_as
            from star.fact_check as f left join (
                select k.check_key, i.check_id, i.subject from staging.continuation as k
                inner join raw."check" as i on i.check_key = k.continues_key
                where k.check_key not in (
                    select o.check_key from staging.observation as o where o.state_key is not null)
            ) as s on s.check_key = f.check_key and s.check_id = f.continues_check_id)"""

# What must never come out, whatever goes in: each query finds the rows that break its rule. They know the mapping
# and the words as told, and nothing of how the words are read.
GUESSES = {
    "a lifecycle that no word told": f"""
        select f.check_id from {SPOKEN} as f
        where f.lifecycle not in ('unknown', 'in_progress', 'review_required') and f.first_observed_at is not null
        and f.subject <> 'subscription'
        and not exists (
            select 1 from star.dim_vendor_status as m where m.vendor = f.vendor and m.subject = f.spoken_as
            and ((m.field = 'status' and m.value = f.vendor_status)
            or (m.field = 'detail' and m.value = f.vendor_status_detail)) and m.lifecycle = f.lifecycle)""",
    "a status that nobody knows is read as something": f"""
        select f.check_id from {SPOKEN} as f
        where f.lifecycle <> 'unknown' and f.vendor_status <> '' and f.subject <> 'subscription'
        and (f.vendor <> 'zinc' or nullif(f.vendor_status_detail, '') is null)
        and not exists (
            select 1 from star.dim_vendor_status as m where m.vendor = f.vendor and m.subject = f.spoken_as
            and m.field = 'status' and m.value = f.vendor_status)""",
    "a result that no word told": f"""
        select f.check_id from {SPOKEN} as f
        where f.result in ('clear', 'consider', 'referred')
        and not exists (
            select 1 from star.dim_vendor_status as m where m.vendor = f.vendor and m.subject = f.spoken_as
            and m.result = f.result and m.value in (
                f.vendor_status, f.vendor_status_detail, f.vendor_result, f.vendor_adjudication))
        and not exists (
            select 1 from star.fact_check_component as c where c.check_key = f.check_key and c.result = f.result)
        -- GoodHire names the sections with alerts and gives them no word.
        and not (f.vendor = 'goodhire' and f.result = 'consider')""",
    "an unknown word that is not listed": f"""
        select f.check_id from (
            select check_key, check_id, vendor, spoken_as, unnest([
                {{'field': 'status', 'value': vendor_status}}, {{'field': 'detail', 'value': vendor_status_detail}},
                {{'field': 'result', 'value': vendor_result}}, {{'field': 'dispute', 'value': vendor_dispute}},
                {{'field': 'adjudication', 'value': nullif(vendor_adjudication, 'Not Available')}}]) as w
            from {SPOKEN} where first_observed_at is not null) as f
        where f.w.value <> ''
        and not exists (
            select 1 from star.dim_vendor_status as m where m.vendor = f.vendor and m.subject = f.spoken_as
            and m.field = f.w.field and m.value = f.w.value)
        and not exists (
            select 1 from ops.unmapped_value as u where u.check_key = f.check_key
            and u.field = f.w.field and u.value = f.w.value)""",
    "a check with an unknown word that is done": """
        select f.check_id from star.fact_check as f semi join (
            select check_key from ops.unmapped_value
            where is_current and field in ('status', 'detail', 'result', 'adjudication', 'dispute')) using (check_key)
        where f.is_terminal and not (f.vendor = 'hireright' and f.subject = 'order'
            and f.vendor_adjudication in ('Approved By Security'))""",
    "a value of the payload among the reasons": f"""
        -- A part is one of a message that was believed, also about whose check it is.
        select reject_id from (
            select * replace (if(source = 'part', null, check_id) as check_id) from ops.reject
        ) as r where r::varchar like '%{CANARY}%'""",
}


@dataclass(frozen=True)
class Case:
    """One answer as it might arrive. `given` is how many messages a feed was made of."""

    number: int
    slug: str
    endpoint: str
    channel: str
    check_id: str | None
    body: bytes = field(repr=False)
    content_type: str
    given: int | None = None

    def exchange(self) -> HttpExchange:
        """The exchange that the client would hand over."""
        declared = [e for e in vendor(self.slug).endpoints if e.name == self.endpoint]
        is_asked = self.channel == "pull" or is_called_back(self.slug)
        subject = declared[0].subject if declared else vendor(self.slug).default_subject
        return HttpExchange(
            response_id=f"{MORNING:%Y%m%dT%H%M%S%f}Z-{self.number:016x}-0000",
            vendor=self.slug,
            account="main",
            endpoint=self.endpoint,
            channel=self.channel,
            subject=subject if is_asked else None,
            check_id=self.check_id if is_asked and subject else None,
            requested_at=MORNING,
            received_at=MORNING,
            http_status=200,
            headers={"content-type": self.content_type},
            body=self.body,
            run_id="fuzz",
        )


@dataclass
class Found:
    """What came of the cases: counts, and what must not be."""

    cases: int = 0
    accepted: int = 0
    rejected: int = 0
    salvaged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    vendors: Counter[str] = field(default_factory=Counter)
    unmapped: int = 0
    broken: list[str] = field(default_factory=list)


# ── cases ──────────────────────────────────────────────────────────────────────────────────────────────


@cache
def documented() -> dict[str, list[tuple[str, Any]]]:
    """The documented bodies: vendor → (call, body)."""
    found: dict[str, list[tuple[str, Any]]] = {slug: [] for slug in sorted(all_vendors())}
    for path in sorted(EXAMPLES.glob("*/*.payload.json")):
        call = path.name.split(".")[0]
        if call == "push" or _tells_of_checks(path.parent.name, call):
            found[path.parent.name].append((call, json.loads(path.read_text(encoding="utf-8"))))
    return found


def _tells_of_checks(slug: str, call: str) -> bool:
    endpoint = vendor(slug).endpoint(call)
    return endpoint.subject is not None or endpoint.is_destructive


def case(seed: int, number: int) -> Case:
    """The case of that number: one vendor after the other, each body with none to four things wrong with it."""
    draw = Random(f"{seed}:{number}")
    slug = sorted(all_vendors())[number % len(all_vendors())]
    call, body = draw.choice(documented()[slug])
    body = _linked(_named(copy.deepcopy(body), f"case-{number}"), f"case-{number + len(all_vendors())}")
    for _ in range(draw.choice((0, 1, 1, 2, 4))):
        body = draw.choice(MUTATIONS)(draw, body)
    raw, given = _bytes(draw, body), _given(body) if channel_of(slug, call) == "feed" else None
    damaged = _damaged(draw, raw) if draw.random() < 0.2 else raw
    return Case(
        number=number,
        slug=slug,
        endpoint=call,
        channel=channel_of(slug, call),
        check_id=f"case-{number}",
        body=damaged,
        content_type=draw.choice(TYPES) if draw.random() < 0.1 else TYPES[0],
        given=given if damaged == raw else None,
    )


def _given(body: Any) -> int | None:
    """How many messages a list holds; a null is none."""
    return sum(message is not None for message in body) if isinstance(body, list) else None


def _named(body: Any, check_id: str) -> Any:
    """The same about the check of this case; each message of a feed about one of its own."""
    if isinstance(body, list):
        return [_named(message, f"{check_id}-{place}") for place, message in enumerate(body)]
    if not isinstance(body, dict):
        return body
    renamed = {key: check_id if key in IDS and isinstance(value, str) else value for key, value in body.items()}
    inner = {key: _named(value, check_id) for key, value in renamed.items() if key in ("ReportStatus", "statusUpdates")}
    return renamed | inner


def _linked(body: Any, check_id: str) -> Any:
    """The same, having led to the check of the vendor's next case, which may speak for itself or not."""
    if not isinstance(body, dict):
        return body
    return {key: check_id if key in LINKS and isinstance(value, str) else value for key, value in body.items()}


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if path:
        _at(value, path[:-1])[path[-1]] = new
        return value
    return new


def _junk(draw: Random) -> Any:
    return copy.deepcopy(draw.choice(JUNK))


Mutation = Callable[[Random, Any], Any]


def _something_else(draw: Random, body: Any) -> Any:
    return _put(body, draw.choice(_places(body)), _junk(draw))


def _another_word(draw: Random, body: Any) -> Any:
    """A near miss of a word, as a vendor's typing error or a later version of its API would be."""
    texts = [path for path in _places(body) if path and isinstance(_at(body, path), str)]
    if not texts:
        return body
    place = draw.choice(texts)
    word: str = _at(body, place)
    forms = (word.upper(), word.lower(), f"{word} ", f" {word}", word[:-1], f"{word}{word}", word.replace("e", "3"))
    return _put(body, place, draw.choice((*forms, f"{CANARY}-{draw.randrange(9)}")))


def _word_of_elsewhere(draw: Random, body: Any) -> Any:
    """A word of the same vendor in a place where it does not belong, or does at another time."""
    texts = [path for path in _places(body) if path and isinstance(_at(body, path), str)]
    if len(texts) < 2:
        return body
    return _put(body, draw.choice(texts), _at(body, draw.choice(texts)))


def _without(draw: Random, body: Any) -> Any:
    places = [path for path in _places(body) if path]
    if places:
        *outer, last = draw.choice(places)
        del _at(body, tuple(outer))[last]
    return body


def _with_more(draw: Random, body: Any) -> Any:
    place = draw.choice(_places(body))
    holder = _at(body, place)
    if isinstance(holder, dict):
        holder[draw.choice(("Extra", "status", "message", "error", "SSN", "result", "check"))] = _junk(draw)
    elif isinstance(holder, list):
        holder.append(copy.deepcopy(draw.choice((*holder, *JUNK))))
    return body


def _deeper(draw: Random, body: Any) -> Any:
    value: Any = _junk(draw)
    for _ in range(draw.choice((3, 60, 70))):
        value = draw.choice(([value], {"a": value}))
    return _put(body, draw.choice(_places(body)), value)


MUTATIONS: tuple[Mutation, ...] = (
    _something_else,
    _another_word,
    _another_word,
    _word_of_elsewhere,
    _without,
    _with_more,
    _deeper,
)


def _bytes(draw: Random, body: Any) -> bytes:
    indent = draw.choice((None, None, 2))
    return json.dumps(body, ensure_ascii=draw.random() < 0.5, indent=indent).encode("utf-8", "surrogatepass")


def _damaged(draw: Random, raw: bytes) -> bytes:
    at = draw.randrange(len(raw) + 1)
    kind = draw.randrange(5)
    if kind == 0:
        return raw[:at]
    if kind == 1:
        return raw[:at] + draw.choice(DAMAGE) + raw[at:]
    if kind == 2:
        return raw[:at] + draw.choice(DAMAGE) + raw[at + draw.randrange(8) :]
    if kind == 3:
        return raw.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32", "latin-1", "utf-7")), "replace")
    return raw.replace(b"{", b'{"twice":1,"twice":2,', 1) if b'"' in raw else raw * 2


# ── what becomes of them ───────────────────────────────────────────────────────────────────────────────


def fuzz(seed: int, numbers: Sequence[int], stage: Stage, found: Found) -> None:
    """Have the cases of these numbers arrive, settle them in one batch, and note what must not be."""
    say(seed, numbers, stage, found)
    stage.settle()


def say(seed: int, numbers: Sequence[int], stage: Stage, found: Found) -> None:
    """Have the cases of these numbers arrive, and note what must not be."""
    lines: dict[str, list[bytes]] = {}
    for number in numbers:
        one = case(seed, number)
        exchange = one.exchange()
        line, examined = line_of(exchange, examine(exchange, vendor(one.slug)))
        _note(found, seed, one, examined)
        lines.setdefault(stage.landing.file_of(exchange), []).append(line)
    for file, content in lines.items():
        path = stage.landing.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as landed:
            landed.writelines(line + b"\n" for line in content)


def _note(found: Found, seed: int, one: Case, examined: Examined) -> None:
    found.cases += 1
    found.vendors[one.slug] += 1
    found.accepted += examined.reject is None
    found.rejected += examined.reject is not None
    found.salvaged += bool(examined.message_rejects)
    reasons = [examined.reject] if examined.reject else [reason for _, reason in examined.message_rejects]
    found.reasons.update(reasons)
    problems = {
        "a reason that is none": not set(reasons) <= set(REASONS),
        "rejected and accepted at once": bool(examined.reject and examined.messages),
        "a message of another check": is_of_another(one, examined),
        "a feed's messages that do not add up": _is_uneven(one, examined),
    }
    found.broken += [f"{problem}: seed {seed}, case {one.number}" for problem, is_so in problems.items() if is_so]


def is_of_another(one: Case, examined: Examined) -> bool:
    """Whether an answer about one check is taken for anything but that, and the name of what that one led to."""
    if one.channel != "pull" or not examined.messages:
        return False
    about, *others = examined.messages
    is_its_own = about.subject == one.exchange().subject and about.check_id == one.check_id
    return not (is_its_own and all(_is_led_to(one, about.subject, other) for other in others))


def _is_led_to(one: Case, subject: str, other: AcceptedMessage) -> bool:
    """Whether a message names, by the answer's own word, what the check asked for led to, and says no state of it."""
    named = str(json.loads(one.body).get(f"{other.subject}_id")).strip()
    is_linked = vendor(one.slug).records[other.subject].continues == subject
    return is_linked and other.check_id == named and other.body == {"id": other.body["id"], "continues": one.check_id}


def _is_uneven(one: Case, examined: Examined) -> bool:
    is_read = one.given is not None and examined.reject is None
    return is_read and len(examined.messages) + len(examined.message_rejects) != one.given


def judge(stage: Stage, found: Found) -> None:
    """Try every rule of the warehouse and every rule about guessing on all that was settled."""
    every = [*catalog.rules("raw", "star", "ops", is_every_run=True), *catalog.rules("star", is_every_run=False)]
    rules = {f"{rule.table}.{rule.name}": rule.query for rule in every if not rule.is_warning}
    for name, query in (rules | GUESSES).items():
        found.broken += [f"{name}: {row}" for row in stage.rows(f"from ({query}\n) limit 3")]
    found.unmapped += stage.rows("select count(*) as n from ops.unmapped_value")[0]["n"]
    accounted = stage.rows(
        "select count(*) as n from star.fact_pull where outcome in ('changed', 'unchanged', 'rejected')"
    )[0]["n"]
    asked = stage.rows("select count(*) as n from staging.response where channel <> 'push'")[0]["n"]
    if accounted != asked:
        found.broken.append(f"{asked} answers given, {accounted} accepted or rejected")


def run(cases: int, seed: int, folders: Iterator[Path]) -> Found:
    """So many cases, in warehouses of a bearable size."""
    found = Found()
    for first in range(0, cases, STAGE):
        with staged(next(folders)) as stage:
            for start in range(first, min(first + STAGE, cases), BATCH):
                fuzz(seed, range(start, min(start + BATCH, first + STAGE, cases)), stage, found)
            judge(stage, found)
    return found


@contextmanager
def _folders() -> Iterator[Iterator[Path]]:
    with tempfile.TemporaryDirectory() as folder:
        yield (Path(folder) / str(number) for number in range(sys.maxsize))


def main() -> int:
    """Run the long form and print what came of it; 1 where anything broke."""
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument("--cases", type=int, default=100_000)
    grammar.add_argument("--seed", type=int, default=1)
    given = grammar.parse_args()
    started = time.process_time()
    with _folders() as folders:
        found = run(given.cases, given.seed, folders)
    sys.stdout.write(json.dumps(_summary(found, time.process_time() - started), indent=2) + "\n")
    return int(bool(found.broken))


def _summary(found: Found, seconds: float) -> dict[str, Any]:
    return {
        "cases": found.cases,
        "by_vendor": dict(found.vendors),
        "accepted": found.accepted,
        "rejected": found.rejected,
        "accepted_in_part": found.salvaged,
        "by_reason": dict(found.reasons.most_common()),
        "unmapped_words_listed": found.unmapped,
        "broken": found.broken,
        "cpu_seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
