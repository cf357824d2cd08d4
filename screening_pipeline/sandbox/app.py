"""The sandbox as an ASGI application: the vendors' paths, and a control plane beside them."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from screening_pipeline.sandbox.clocks import Clock
from screening_pipeline.sandbox.control import Control
from screening_pipeline.sandbox.counter import Counter
from screening_pipeline.sandbox.faults import Faults, Plan
from screening_pipeline.sandbox.feed import Feed
from screening_pipeline.sandbox.gates import Gates
from screening_pipeline.sandbox.ledger import Ledger
from screening_pipeline.sandbox.limits import Limits
from screening_pipeline.sandbox.wire import Wire
from screening_pipeline.sandbox.world import World


def create_app(
    world: World,
    *,
    clock: Clock,
    limits: Limits,
    faults: Plan | None = None,
    wire: Wire | None = None,
    state_path: Path | None = None,
    has_workable_polling: bool = True,
) -> ASGIApp:
    """Return the application that answers as the six vendors do in `world`.

    `state_path` keeps the position of the destructive feed over restarts. Without polling, a Workable
    provider answers requests for a check with 405. `faults` is what goes wrong at first (nothing); `wire` are
    the connections of the server, where there is one.
    """
    counter = Counter(
        world=world,
        clock=clock,
        limits=limits,
        gates=Gates.by(clock),
        feed=Feed(world, state_path),
        ledger=Ledger(limits.monotonic),
        has_workable_polling=has_workable_polling,
    )
    vendors = Starlette(routes=_vendor_routes(counter))
    spoiled = Faults(vendors, faults or Plan(), world, clock, counter.gates, wire or Wire())
    return Starlette(routes=[*Control(counter, spoiled).routes(), Mount("/", spoiled)])


def _vendor_routes(counter: Counter) -> list[Route]:
    return [
        Route("/checkr/v1/reports/{id}", counter.check("checkr", "report")),
        Route("/checkr/v1/candidates", counter.candidates),
        Route("/checkr/v1/invitations", counter.listed("invitation")),
        Route("/checkr/v1/invitations/{id}", counter.check("checkr", "invitation")),
        Route("/checkr/v1/subscriptions", counter.listed("subscription")),
        Route("/checkr/v1/subscriptions/{id}", counter.check("checkr", "subscription")),
        Route("/checkr/v1/continuous_checks/{id}", counter.check("checkr", "continuous_check")),
        Route("/checkr/v1/packages", counter.packages("checkr")),
        Route("/goodhire/v1/Report/{id}", counter.check("goodhire", "report")),
        Route("/goodhire/v1/Subscription/{id}", counter.check("goodhire", "subscription")),
        Route("/hireright/oauth/token", counter.hireright_token),
        Route("/hireright/connect/orders/status-updates", counter.status_updates),
        Route("/hireright/connect/orders/{id}/status", counter.check("hireright", "order")),
        Route("/hireright/connect/orders/{id}/adjudication-statuses", counter.adjudications),
        Route("/hireright/connect/I-9/{id}/status", counter.check("hireright", "i9")),
        Route("/zinc/partner/v2/results/{id}", counter.check("zinc", "request")),
        Route("/zinc/partner/v2/packages", counter.packages("zinc")),
        Route("/workerchecks/v1/auth/token", counter.workerchecks_token, methods=["POST"]),
        Route("/workerchecks/v1/results/{id}", counter.check("workerchecks", "check")),
        Route("/workable/v1/checks/{id}", counter.check("workable", "check")),
        Route("/workable/v1/checks/{id}/shared-link", counter.shared_link),
        Route("/workable/v1/packages", counter.packages("workable")),
    ]
