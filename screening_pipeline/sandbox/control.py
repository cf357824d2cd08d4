"""The sandbox's own plane under /_sandbox: its clock, its orders, the truth, and how its visitors behaved."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from screening_pipeline.sandbox.clocks import VirtualClock, instant_text, parse_instant
from screening_pipeline.sandbox.counter import Counter
from screening_pipeline.sandbox.creations import answer
from screening_pipeline.sandbox.credentials import ACCOUNT
from screening_pipeline.sandbox.faults import Faults, Plan
from screening_pipeline.sandbox.judgement import completion, disputes, is_continued, read_state
from screening_pipeline.sandbox.timeline import Body, Check, Order, State
from screening_pipeline.sandbox.wording import words


@dataclass(frozen=True, slots=True)
class Control:
    """Shows and moves what stands behind the vendors' counters."""

    counter: Counter
    faults: Faults

    def routes(self) -> list[Route]:
        """Return the routes of the control plane."""
        return [
            Route("/_sandbox/health", self.health),
            Route("/_sandbox/clock", self.set_clock, methods=["PUT"]),
            Route("/_sandbox/orders", self.orders),
            Route("/_sandbox/creations", self.creations),
            Route("/_sandbox/truth", self.truth),
            Route("/_sandbox/stats", self.stats),
            Route("/_sandbox/flagged", self.flag, methods=["PUT"]),
            Route("/_sandbox/tokens", self.revoke_tokens, methods=["DELETE"]),
            Route("/_sandbox/faults", self.set_faults, methods=["PUT"]),
        ]

    async def health(self, _: Request) -> Response:
        """Say that the sandbox is up, and what time it is in there."""
        world = self.counter.world
        return JSONResponse(
            {
                "status": "ok",
                "now": instant_text(self.counter.clock.now()),
                "is_virtual": isinstance(self.counter.clock, VirtualClock),
                "seed": world.seed,
                "checks": world.checks,
                "epoch": instant_text(world.epoch),
                "days": world.days,
            }
        )

    async def set_clock(self, request: Request) -> Response:
        """Move the virtual clock to `now` of the body: 409 when the clock is real, 400 for no instant."""
        clock = self.counter.clock
        if not isinstance(clock, VirtualClock):
            return JSONResponse({"error": "the clock is real"}, 409)
        try:
            clock.set(parse_instant(json.loads(await request.body())["now"]))
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"error": 'expected {"now": an ISO 8601 instant with an offset}'}, 400)
        return JSONResponse({"now": instant_text(clock.now())})

    async def orders(self, request: Request) -> Response:
        """List the manifest rows announced in [since, until); either may be left out."""
        found = self._announced(request)
        return found if isinstance(found, Response) else JSONResponse([manifest_row(order) for order in found])

    async def creations(self, request: Request) -> Response:
        """List what the vendors answered to the calls that created the same orders."""
        found = self._announced(request)
        if isinstance(found, Response):
            return found
        return JSONResponse([{"vendor": o.vendor, "account": ACCOUNT, "answer": answer(o)} for o in found])

    def _announced(self, request: Request) -> list[Order] | Response:
        try:
            since, until = (_instant(request.query_params.get(name)) for name in ("since", "until"))
        except ValueError:
            return JSONResponse({"error": "since and until are ISO 8601 instants with an offset"}, 400)
        return self.counter.world.announced(since, until)

    async def truth(self, _: Request) -> Response:
        """List every check ordered by now, with what the vendor's side knows about it; once what are one check."""
        now = self.counter.clock.now()
        known = [(check, check.states_until(now)) for check in self.counter.world.everything]
        rows = [truth_row(check, states) for check, states in known if states and not is_continued(check, states[-1])]
        return JSONResponse({"now": instant_text(now), "checks": rows})

    async def stats(self, _: Request) -> Response:
        """Summarise the requests so far."""
        issued = {vendor: tokens.issued for vendor, tokens in self.counter.gates.tokens.items()}
        feed = {"handed_out": self.counter.feed.handed_out, "lost": self.counter.feed.lost}
        noted = {"tokens_issued": issued, "feed": feed, "faults": dict(self.faults.counts)}
        return JSONResponse(self.counter.ledger.summary() | noted)

    async def flag(self, request: Request) -> Response:
        """Put the accounts of each `vendor` in the query, and no others, under review: they answer 403."""
        self.counter.flagged.clear()
        self.counter.flagged.update(request.query_params.getlist("vendor"))
        return JSONResponse({"flagged": sorted(self.counter.flagged)})

    async def revoke_tokens(self, _: Request) -> Response:
        """Make every token issued so far worthless."""
        for tokens in self.counter.gates.tokens.values():
            tokens.revoke_all()
        return JSONResponse({"revoked": True})

    async def set_faults(self, request: Request) -> Response:
        """Let go wrong from now on what the body says: a `rate` from 0 to 1, and some `kinds` (all)."""
        try:
            given = json.loads(await request.body())
            plan = Plan(rate=float(given["rate"]), kinds=tuple(given.get("kinds", ())))
        except (AttributeError, KeyError, TypeError, ValueError) as wrong:
            return JSONResponse({"error": f'expected {{"rate": 0.2, "kinds": [...]}}: {wrong}'}, 400)
        self.faults.plan.rate, self.faults.plan.kinds = plan.rate, plan.kinds
        return JSONResponse({"rate": plan.rate, "kinds": list(plan.kinds)})


def manifest_row(order: Order) -> Body:
    """Return the columns of an order manifest."""
    return {
        "vendor": order.vendor,
        "account": ACCOUNT,
        "check_id": order.check_id,
        "subject": order.subject,
        "candidate_ref": order.person.candidate_ref,
        "package": order.package,
        "ordered_at": instant_text(order.ordered_at),
        "country": order.country,
        "region": order.region,
        "cost_center": order.cost_center,
    }


def truth_row(check: Check, states: tuple[State, ...]) -> Body:
    """Return what is true of `check` after `states` (at least one): its past and its present reading."""
    order, done = check.order, completion(check, states)
    reading = read_state(check, states[-1])
    announced = {"announced_at": instant_text(order.announced_at)}
    timeline = [{"at": instant_text(state.at), **_words(check, state)} for state in states]
    present = asdict(reading) | {"is_over": reading.is_over}
    return (
        manifest_row(order)
        | announced
        | present
        | {
            "completed_at": instant_text(done.at if done else None),
            "final": _words(check, states[-1]),
            "timeline": timeline,
            "disputes": disputes(check, states),
        }
    )


def _words(check: Check, state: State) -> dict[str, str | None]:
    return asdict(words(check.order.vendor, check.order.subject, state.body))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
