"""The vendors' counters: every request is noted, admitted or turned away, and answered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from screening_pipeline.sandbox import checkr, hireright, workable, zinc
from screening_pipeline.sandbox.clocks import Clock
from screening_pipeline.sandbox.errors import problem
from screening_pipeline.sandbox.faults import IS_LOST
from screening_pipeline.sandbox.feed import Feed
from screening_pipeline.sandbox.gates import MISSING, TOKEN_SECONDS, Gates, is_secret
from screening_pipeline.sandbox.judgement import read_state
from screening_pipeline.sandbox.ledger import Ledger
from screening_pipeline.sandbox.limits import Limits
from screening_pipeline.sandbox.timeline import NONCE, Body, Check, State
from screening_pipeline.sandbox.world import World

Endpoint = Callable[[Request], Awaitable[Response]]

TELLS_LIMIT: Final = frozenset({"checkr"})
REFUSALS: Final = {MISSING: "Missing Token"}


@dataclass(frozen=True, slots=True)
class Counter:
    """All that answering takes. `flagged` holds the vendors whose account is under review (403)."""

    world: World
    clock: Clock
    limits: Limits
    gates: Gates
    feed: Feed
    ledger: Ledger
    has_workable_polling: bool = True
    flagged: set[str] = field(default_factory=set)

    def check(self, vendor: str, subject: str) -> Endpoint:
        """Return the endpoint that answers with the present state of one check."""

        async def answer(request: Request) -> Response:
            check_id = request.path_params["id"]
            turned_away = self._turned_away(request, vendor, (vendor, subject, check_id))
            return self._noted(vendor, turned_away or self._present_state(request, (vendor, subject, check_id)))

        return answer

    def listing(self, vendor: str, body: Callable[[], Body]) -> Endpoint:
        """Return the endpoint that answers with something that belongs to no check."""

        async def answer(request: Request) -> Response:
            turned_away = self._turned_away(request, vendor, None)
            return self._noted(vendor, turned_away or rendered(body()))

        return answer

    async def status_updates(self, request: Request) -> Response:
        """Answer with the destructive feed of HireRight."""
        turned_away = self._turned_away(request, "hireright", None)
        return self._noted("hireright", turned_away or self._updates(request))

    async def adjudications(self, request: Request) -> Response:
        """Answer with the decisions that HireRight's customer may take on an order."""
        check_id = request.path_params["id"]
        turned_away = self._turned_away(request, "hireright", None)
        is_known = self._state("hireright", "order", check_id) is not None
        answer = rendered(hireright.adjudications()) if is_known else problem("hireright", 404)
        return self._noted("hireright", turned_away or answer)

    async def shared_link(self, request: Request) -> Response:
        """Answer with a public link to a Workable provider's report."""
        check_id = request.path_params["id"]
        turned_away = self._turned_away(request, "workable", None)
        is_known = self._state("workable", "check", check_id) is not None
        answer = rendered(workable.shared_link(check_id)) if is_known else problem("workable", 404)
        return self._noted("workable", turned_away or answer)

    async def hireright_token(self, request: Request) -> Response:
        """Issue a token for credentials in the query, as text where numbers belong (H4, H16)."""
        given = request.query_params
        if given.get("grant_type") != "client_credentials":
            return problem("hireright", 400, "unsupported grant type")
        is_known = is_secret(given.get("client_id", ""), "SANDBOX_HIRERIGHT_CLIENT_ID")
        if not (is_known and is_secret(given.get("client_secret", ""), "SANDBOX_HIRERIGHT_CLIENT_SECRET")):
            return problem("hireright", 401, "invalid client")
        token = self.gates.tokens["hireright"].issue()
        lifetime = str(TOKEN_SECONDS["hireright"])
        return JSONResponse({"access_token": token, "expires_in": lifetime, "token_type": "bearer"})

    async def workerchecks_token(self, request: Request) -> Response:
        """Issue a token for the widget secret in a JSON body."""
        try:
            given = json.loads(await request.body())
        except ValueError:
            return problem("workerchecks", 400, "invalid JSON")
        secret = given.get("widgetSecret") if isinstance(given, dict) else None
        if not (isinstance(secret, str) and is_secret(secret, "SANDBOX_WORKERCHECKS_WIDGET_SECRET")):
            return problem("workerchecks", 401, "invalid widget secret")
        token = self.gates.tokens["workerchecks"].issue()
        return JSONResponse({"token": token, "expiresIn": TOKEN_SECONDS["workerchecks"]})

    def packages(self, vendor: str) -> Endpoint:
        """Return the endpoint that lists the packages of a vendor that tells them."""
        told = {"checkr": checkr.packages, "zinc": zinc.packages, "workable": workable.packages}
        return self.listing(vendor, told[vendor])

    async def candidates(self, request: Request) -> Response:
        """Answer with a page of everybody whom Checkr has a report about by now."""
        turned_away = self._turned_away(request, "checkr", None)
        found = checkr.candidates(self.world.everything, self.clock.now())
        return self._noted("checkr", turned_away or _page(request, found))

    def listed(self, subject: str) -> Endpoint:
        """Return the endpoint that lists Checkr's invitations, or its subscriptions, page by page."""

        async def answer(request: Request) -> Response:
            turned_away = self._turned_away(request, "checkr", None)
            found = checkr.listed(self.world.everything, subject, self.clock.now())
            return self._noted("checkr", turned_away or _page(request, found))

        return answer

    def _turned_away(self, request: Request, vendor: str, key: tuple[str, str, str] | None) -> Response | None:
        """Note the request; return the answer of one that is not let through."""
        self.ledger.asked(vendor, key)
        refusal = self.gates.refusal(vendor, request.headers.get("authorization"))
        if refusal is not None:
            return problem(vendor, 401, REFUSALS.get(refusal, "Invalid Token"))
        if vendor in self.flagged:
            return problem(vendor, 403, "The account is under review")  # G15: the account, not the check
        wait = self.limits.excess(vendor)
        return None if wait is None else problem(vendor, 429, retry_after=wait)

    def _present_state(self, request: Request, key: tuple[str, str, str]) -> Response:
        vendor, subject, check_id = key
        if vendor == "workable" and not self.has_workable_polling:
            return problem(vendor, 405)  # K9: polling is optional
        found = self._state(vendor, subject, check_id)
        if found is None:
            return problem(vendor, 404)
        self._tell(request, *found)
        return rendered(found[1].body)

    def _updates(self, request: Request) -> Response:
        updates = self.feed.drain(self.clock.now(), is_lost=_is_lost(request))
        for check, state in updates:
            self._tell(request, check, state)
        return rendered([state.body for _, state in updates])

    def _state(self, vendor: str, subject: str, check_id: str) -> tuple[Check, State] | None:
        check = self.world.by_key.get((vendor, subject, check_id))
        state = check.state_at(self.clock.now()) if check else None
        return (check, state) if check and state else None

    def _tell(self, request: Request, check: Check, state: State) -> None:
        if _is_lost(request):
            return
        order = check.order
        key = (order.vendor, order.subject, order.check_id)
        self.ledger.told(key, state.at, is_over=read_state(check, state).is_over)

    def _noted(self, vendor: str, response: Response) -> Response:
        self.ledger.answered(vendor, response.status_code)
        standing = self.limits.standing(vendor) if vendor in TELLS_LIMIT else None
        if standing is not None:
            response.headers.update(_told(*standing))
        return response


def _told(limit: int, remaining: int, seconds: float) -> dict[str, str]:
    """Return the headers that tell how the rate limit stands; its clock is the real one."""
    until = datetime.now(UTC) + timedelta(seconds=ceil(seconds))
    told = {"Limit": str(limit), "Remaining": str(remaining), "Reset": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    return {f"X-Ratelimit-{name}": text for name, text in told.items()}


def _page(request: Request, items: list[Body]) -> Response:
    given = request.query_params
    fresh = [item for item in items if str(item["created_at"]) >= given.get("created_after", "")]
    if "status" in given:
        fresh = [item for item in fresh if item.get("status") == given["status"]]
    return rendered(checkr.page(fresh, int(given.get("page", 1)), int(given.get("per_page", 25))))


def _is_lost(request: Request) -> bool:
    """Whether a fault on the way will keep the visitor from reading the answer."""
    return bool(request.scope.get(IS_LOST))


def rendered(body: Body | list[Body]) -> Response:
    """Return `body` as JSON, with something new wherever the vendor writes something new at each request."""
    text = json.dumps(body, ensure_ascii=False).replace(NONCE, str(uuid4()))
    return Response(text, media_type="application/json")
