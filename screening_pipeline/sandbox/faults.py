"""What goes wrong on the way: a plan of faults, put between the vendors' counters and whoever asks them.

Two rules keep the sandbox an honest witness. An answer that is spoiled was not told: only what can be read in
full counts as known to the visitor. What the destructive feed hands out is gone all the same, and is noted as
lost where a fault took it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from screening_pipeline.sandbox.asked import Asked
from screening_pipeline.sandbox.clocks import Clock
from screening_pipeline.sandbox.errors import problem
from screening_pipeline.sandbox.gates import Gates
from screening_pipeline.sandbox.spoiled_bodies import (
    bomb,
    half_compressed,
    huge,
    nested,
    not_utf8,
    truncated,
    with_member,
)
from screening_pipeline.sandbox.timeline import NONCE, drawn
from screening_pipeline.sandbox.wire import Wire
from screening_pipeline.sandbox.world import Key, World

IS_LOST: Final = "screening.is_lost"
"""Set in the scope of a request whose answer will not arrive in a readable form."""

FEED: Final = "/hireright/connect/orders/status-updates"
NAMELESS: Final = frozenset({"workable"})
"""Vendors whose answers name no check: nobody can tell another check's answer from the right one there."""

REFUSED_SECONDS: Final = 0.05
STALLED_SECONDS: Final = 60.0
DRIP_SECONDS: Final = 0.02
DRIPS: Final = 20
HTML: Final = "<!doctype html><html><title>Down for maintenance</title><p>Please come back later.</p></html>"


@dataclass(slots=True, kw_only=True)
class Plan:
    """How often (0 to 1) and what goes wrong; the same seed spoils the n-th request of each path alike.

    `elsewhere` is the host that redirects lead to.
    """

    rate: float = 0.0
    kinds: Sequence[str] = ()
    seed: int = 7
    elsewhere: str = "http://elsewhere.invalid"

    def __post_init__(self) -> None:
        """Refuse what is no rate and no kind, with ValueError."""
        if not 0 <= self.rate <= 1:
            raise ValueError("the rate of faults is between 0 and 1")
        if unknown := set(self.kinds) - set(KINDS):
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, slots=True)
class Faults:
    """The application `app` with the faults of `plan`; `counts` says how many of each kind there were."""

    app: ASGIApp
    plan: Plan
    world: World
    clock: Clock
    gates: Gates
    wire: Wire
    counts: Tally[str] = field(default_factory=Tally)
    _requests: Tally[str] = field(default_factory=Tally)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, well or badly."""
        asked = Asked(scope, receive, send)
        kind = self._drawn(asked) if scope["type"] == "http" else None
        if kind is None:
            await self.app(scope, receive, send)
            return
        self.counts[kind] += 1
        await KINDS[kind](self, asked)

    def _drawn(self, asked: Asked) -> str | None:
        if self.plan.rate <= 0 or asked.path.startswith("/_sandbox"):
            return None
        self._requests[asked.path] += 1
        draw = drawn(self.plan.seed, "fault", asked.path, self._requests[asked.path])
        if draw.random() >= self.plan.rate:
            return None
        possible = [kind for kind in self.plan.kinds or KINDS if self._is_possible(kind, asked)]
        return draw.choice(possible) if possible else None

    def _is_possible(self, kind: str, asked: Asked) -> bool:
        if kind in ("expired", "revoked"):
            return asked.vendor in self.gates.tokens and asked.bearer is not None
        if kind == "another_check":
            return asked.vendor not in NAMELESS and self.another(asked) is not None
        return True

    def another(self, asked: Asked) -> bytes | None:
        """What the vendor would say now about some other check of the same kind."""
        key = next((key for key in self._keys(asked) if key in self.world.by_key), None)
        others = (c for c in self.world.everything if key and _kind(c.order) == key[:2] and c.order.check_id != key[2])
        state = next((state for check in others if (state := check.state_at(self.clock.now()))), None)
        return json.dumps(state.body).replace(NONCE, "0").encode() if state else None

    def _keys(self, asked: Asked) -> list[Key]:
        subjects = {subject for vendor, subject, _ in self.world.by_key if vendor == asked.vendor}
        return [(asked.vendor, subject, part) for subject in subjects for part in asked.path.split("/")]

    async def heard(self, asked: Asked, *, is_lost: bool = True) -> Response:
        """What the application says; when `is_lost`, it knows that nobody will be able to read it."""
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        await self.app({**asked.scope, IS_LOST: is_lost}, asked.receive, keep)
        body = b"".join(message.get("body", b"") for message in said[1:])
        headers = {name.decode(): value.decode() for name, value in said[0]["headers"]}
        return Response(body, said[0]["status"], {n: v for n, v in headers.items() if n != "content-length"})

    async def swallow(self, asked: Asked) -> None:
        """Let the destructive feed hand out what it has, every other time, although nothing will arrive."""
        if asked.path == FEED and self._requests[asked.path] % 2:
            await self.heard(asked)


Fault = Callable[[Faults, Asked], Awaitable[None]]


def _kind(order: Any) -> tuple[str, str]:
    return order.vendor, order.subject


# ── connections ────────────────────────────────────────────────────────────────────────────────────────


async def _refused(faults: Faults, asked: Asked) -> None:
    faults.wire.reset(asked.scope["client"])
    await faults.wire.refuse(REFUSED_SECONDS)


async def _reset(faults: Faults, asked: Asked) -> None:
    await faults.swallow(asked)
    faults.wire.reset(asked.scope["client"])
    await asked.gone(1)


async def _cut(faults: Faults, asked: Asked, share: float, *, is_lost: bool = True) -> None:
    """Announce the whole body, send a share of it, and hang up."""
    whole = await faults.heard(asked, is_lost=is_lost)
    await _begin(asked, whole)
    sent = bytes(whole.body)[: int(len(whole.body) * share)]
    await asked.send({"type": "http.response.body", "body": sent, "more_body": share < 1})
    faults.wire.hang_up(asked.scope["client"])
    await asked.gone(1)


async def _cut_before_body(faults: Faults, asked: Asked) -> None:
    await _cut(faults, asked, 0)


async def _cut_in_body(faults: Faults, asked: Asked) -> None:
    await _cut(faults, asked, 0.5)


async def _hung_up(faults: Faults, asked: Asked) -> None:
    await _cut(faults, asked, 1, is_lost=False)


async def _begin(asked: Asked, whole: Response) -> None:
    await asked.send({"type": "http.response.start", "status": whole.status_code, "headers": whole.raw_headers})


async def _dripping(faults: Faults, asked: Asked) -> None:
    whole = await faults.heard(asked, is_lost=False)
    await _begin(asked, whole)
    body = bytes(whole.body)
    step = max(1, -(-len(body) // DRIPS))
    for start in range(0, len(body), step):
        await asked.send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
        await asyncio.sleep(DRIP_SECONDS)
    await asked.send({"type": "http.response.body"})


async def _stalled(faults: Faults, asked: Asked) -> None:
    whole = await faults.heard(asked)
    await _begin(asked, whole)
    half = bytes(whole.body)[: len(whole.body) // 2]
    await asked.send({"type": "http.response.body", "body": half, "more_body": True})
    await asked.gone(STALLED_SECONDS)
    faults.wire.hang_up(asked.scope["client"])


# ── answers in the place of the right one ──────────────────────────────────────────────────────────────


def _instead(made: Callable[[Faults, Asked], Response], *, may_swallow: bool = True) -> Fault:
    """A fault that answers something else; what the feed would have said may be lost on the way."""

    async def fault(faults: Faults, asked: Asked) -> None:
        if may_swallow:
            await faults.swallow(asked)
        await asked.answer(made(faults, asked))

    return fault


def _json(body: bytes, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, headers=named, media_type="application/json")


def _server_error(faults: Faults, asked: Asked) -> Response:
    statuses = (500, 502, 503, 504)
    return problem(asked.vendor, statuses[faults.counts["server_error"] % len(statuses)])


def _throttled(_faults: Faults, _asked: Asked) -> Response:
    return PlainTextResponse("slow down", 429, {"Retry-After": "1"})


def _redirect(faults: Faults, asked: Asked) -> Response:
    return RedirectResponse(f"{faults.plan.elsewhere}{asked.path}", 307)


# ── the right answer, spoiled ──────────────────────────────────────────────────────────────────────────


def _spoiled(change: Callable[[bytes], bytes], headers: Mapping[str, str] | None = None) -> Fault:
    """A fault that changes the body of a good answer; other answers stay as they are."""

    async def fault(faults: Faults, asked: Asked) -> None:
        whole = await faults.heard(asked)
        if whole.status_code == 200:
            whole = Response(change(bytes(whole.body)), 200, {**dict(whole.headers), **(headers or {})})
            whole.headers["content-length"] = str(len(whole.body))
        await asked.answer(whole)

    return fault


async def _another_check(faults: Faults, asked: Asked) -> None:
    await asked.answer(_json(faults.another(asked) or b"{}"))


# ── credentials ────────────────────────────────────────────────────────────────────────────────────────


async def _expired(faults: Faults, asked: Asked) -> None:
    faults.gates.tokens[asked.vendor].revoke(asked.bearer or "")
    await faults.app(asked.scope, asked.receive, asked.send)


async def _revoked(faults: Faults, asked: Asked) -> None:
    faults.gates.tokens[asked.vendor].revoke_all()
    await faults.app(asked.scope, asked.receive, asked.send)


KINDS: Final[Mapping[str, Fault]] = {
    "refused": _refused,
    "reset": _reset,
    "cut_before_body": _cut_before_body,
    "cut_in_body": _cut_in_body,
    "hung_up": _hung_up,
    "dripping": _dripping,
    "stalled": _stalled,
    "server_error": _instead(_server_error),
    "throttled": _instead(_throttled, may_swallow=False),
    "throttled_silently": _instead(lambda *_: PlainTextResponse("slow down", 429), may_swallow=False),
    "html": _instead(lambda *_: Response(HTML, media_type="text/html")),
    "other_type": _instead(lambda *_: PlainTextResponse("OK")),
    "deep": _instead(lambda *_: _json(nested())),
    "huge": _instead(lambda *_: _json(huge())),
    "gzip_bomb": _instead(lambda *_: _json(bomb(), Content_Encoding="gzip")),
    "redirect": _instead(_redirect, may_swallow=False),
    "truncated": _spoiled(truncated),
    "not_utf8": _spoiled(not_utf8),
    "nan": _spoiled(with_member(b'"share": NaN')),
    "duplicate_key": _spoiled(with_member(b'"twice": 1, "twice": 2')),
    "half_compressed": _spoiled(half_compressed, {"content-encoding": "gzip"}),
    "another_check": _another_check,
    "expired": _expired,
    "revoked": _revoked,
}
"""Every kind of fault, by name."""
