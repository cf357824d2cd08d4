"""The webhook receiver: authenticates, makes durable, and only then answers 2xx; the next cycle ingests.

    POST /webhooks/{vendor}/{account}             a message; what it is about stands in its body
    PUT  /webhooks/{vendor}/{account}/{check_id}  a callback whose body does not say what it is about
    GET  /oauth/token                             a bearer token for senders that ask for one first
    GET  /healthz                                 whether messages can be taken now; tells codes and nothing else
    GET  /metrics                                 where asked for: the status of all accounts, as Prometheus reads it

A slash at the end of an address says nothing. Nothing is read before it is proven. Of a request only the account and
a word are told, never a path, a header or a body. It speaks plain HTTP and listens on loopback: whoever faces the
internet puts TLS before it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from screening_pipeline.base.errors import EnvironmentFailed, MissingSecret
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.http import wire
from screening_pipeline.landing.writer import Busy, Writer
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.webhooks.addresses import Address, address_of, path_of
from screening_pipeline.webhooks.proofs import TOKEN_SECONDS, WebhookAuth
from screening_pipeline.webhooks.refusals import Doorkeeper
from screening_pipeline.webhooks.server import http_server, in_url, listening

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.types import ASGIApp, Receive, Scope, Send

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.domain.conduct import Push
    from screening_pipeline.landing.area import Landing, Line
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.pull_queue import PullQueue


MAX_BODY_BYTES = 1024 * 1024
RUN_ID = "webhooks"
SEALED_UNDER = "tokens of pushed messages"
MAX_HELD_BYTES = 64 * 1024 * 1024
"""Bytes of bodies that are held at once, of all requests together."""
_INLINE_BYTES = 64 * 1024
"""Bodies that are judged where they are read: handing them to a thread takes longer."""
_FREE_BYTES = 64 * 1024 * 1024

Tell = Callable[[str], None]
"""Told one line for each request that named an account, or at least a vendor."""


Metrics = Callable[[], tuple[str, bytes]]
"""Makes the metrics: their content type, and the text."""


class Refused(Exception):
    """A refused request: an HTTP status and a code; never anything of the request."""

    def __init__(self, http_status: int, code: str) -> None:
        super().__init__(code)
        self.http_status = http_status
        self.code = code


def application(
    landing: Landing,
    settings: Settings,
    environ: Mapping[str, str],
    pull_queue: PullQueue,
    clock: Clock,
    tell: Tell,
    metrics: Metrics | None = None,
) -> ASGIApp:
    """The receiver as an ASGI application; `metrics` makes what is answered at /metrics, which is not there without."""
    proofs = WebhookAuth(settings.accounts, environ, clock=clock, key=landing.key_for(SEALED_UNDER))
    # A framework's routes read paths after they were decoded: then a slash in an id looks like any other.
    return _Receiver(landing, proofs, Doorkeeper(pull_queue, clock), clock, tell, metrics)


class _Receiver:
    def __init__(
        self,
        landing: Landing,
        proofs: WebhookAuth,
        doorkeeper: Doorkeeper,
        clock: Clock,
        tell: Tell,
        metrics: Metrics | None,
    ) -> None:
        self._metrics = metrics
        self._landing = landing
        self._clock = clock
        self._tell = tell
        self._proofs = proofs
        self._writer = Writer(landing)
        self._doorkeeper = doorkeeper
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._response(request, path_of(scope["raw_path"]))
        if response.status_code in _CLOSING:  # of what is left of the request nothing is read
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _response(self, request: Request, path: bytes) -> Response:
        if path == b"/healthz":
            return await run_in_threadpool(self._health)
        if path == b"/metrics" and self._metrics is not None:
            content_type, content = await run_in_threadpool(self._metrics)
            return Response(content, media_type=content_type, headers={"Cache-Control": "no-store"})
        if path == b"/oauth/token":
            return (
                await self._token(request) if request.method == "GET" else _refusal(Refused(405, "wrong_method"), "GET")
            )
        address = address_of(path)
        if address is not None:
            return await self._answered(request, address)
        return _refusal(self._told(_vendor_in(path), Refused(404, "unknown_address")))

    def _told(self, whose: str | None, refused: Refused) -> Refused:
        if whose is not None:
            self._tell(f"{whose}: {refused.http_status} {refused.code}")
        return refused

    def _health(self) -> Response:
        """Whether a message could be stored now, and all proofs judged."""
        troubles = []
        if self._proofs.has_unset:
            troubles.append("secret_not_set")
        try:
            with self._landing.reserve(_FREE_BYTES):
                pass
        except EnvironmentFailed as problem:
            troubles.append(problem.code)
        status = {"status": "failing" if troubles else "ok", "troubles": troubles}
        return JSONResponse(status, 503 if troubles else 200, headers={"Cache-Control": "no-store"})

    async def _token(self, request: Request) -> Response:
        given = request.query_params
        if given.get("grant_type") != "client_credentials":
            return _no_token(400, "unsupported_grant_type")
        token = self._proofs.issue(given.get("client_id", ""), given.get("client_secret", ""))
        if token is None:
            await self._doorkeeper.refused(f"{_token_vendor()}/?")
            return _no_token(401, "invalid_client")
        # H3: the vendor writes the number of seconds as a text.
        body = {"access_token": token, "expires_in": str(TOKEN_SECONDS), "token_type": "bearer"}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def _answered(self, request: Request, address: Address) -> Response:
        account = self._proofs.account(address.vendor, address.account)
        push = vendor(account.vendor).push if account else None
        if account is None or push is None:
            whose = f"{address.vendor}/?" if address.vendor in all_vendors() else None
            return _refusal(self._told(whose, Refused(404, "unknown_account")))
        if _is_nowhere(push, address, request.method):
            return _refusal(self._told(account.key, Refused(404, "unknown_address")))
        method = "POST" if address.check_id is None else "PUT"
        if request.method != method:
            return _refusal(self._told(account.key, Refused(405, "wrong_method")), method)
        try:
            response_id = await self._taken(request, account, push.header, address.check_id)
        except Refused as refused:
            if refused.http_status == 401 and not await self._doorkeeper.refused(account.key):
                refused = Refused(429, "too_many_refusals")
            return _refusal(self._told(account.key, refused))
        self._tell(f"{account.key}: stored")
        return JSONResponse({"stored": response_id})

    async def _taken(self, request: Request, account: Account, header: str, check_id: str | None) -> str:
        """The id of the message, once it is on disk. Raises Refused."""
        requested_at = self._clock.now()
        if self._writer.is_full:
            raise Refused(503, "busy")
        held = _Held(self)
        try:
            exchange = self._exchange(request, account, check_id, await _body_of(request, held), requested_at)
            return await self._stored(await self._judged(account, _header(request, header.lower().encode()), exchange))
        finally:
            held.release()

    def _exchange(
        self, request: Request, account: Account, check_id: str | None, body: bytes, requested_at: datetime
    ) -> HttpExchange:
        received_at = self._clock.now()
        return HttpExchange(
            response_id=new_response_id(received_at, self._clock.monotonic()),
            vendor=account.vendor,
            account=account.name,
            endpoint="push",
            channel="push",
            requested_at=requested_at,
            received_at=received_at,
            run_id=RUN_ID,
            subject=vendor(account.vendor).default_subject if check_id else None,
            check_id=check_id,
            http_status=200,
            headers=wire.kept(request.headers.items()),
            body=body,
        )

    async def _judged(self, account: Account, proof: bytes, exchange: HttpExchange) -> Line:
        if len(exchange.body) <= _INLINE_BYTES:
            return self._line(account, proof, exchange)
        return await run_in_threadpool(self._line, account, proof, exchange)

    def _line(self, account: Account, proof: bytes, exchange: HttpExchange) -> Line:
        """What is to be written of a message. Raises Refused."""
        self._prove(account, proof, exchange.body)
        if not _is_json(exchange.body):
            raise Refused(400, "not_json")
        return self._landing.judged(exchange)

    def _prove(self, account: Account, proof: bytes, body: bytes) -> None:
        try:
            if not self._proofs.is_valid(account, proof, body):
                raise Refused(401, "bad_proof")
        except MissingSecret:  # ours to mend: the vendor will try again
            raise Refused(503, "secret_not_set") from None

    async def _stored(self, line: Line) -> str:
        try:
            await self._writer.store(line)
        except Busy:
            raise Refused(503, "busy") from None
        except (EnvironmentFailed, OSError):
            raise Refused(503, "not_stored") from None
        return line.landed.response_id

    # ── how much is held ───────────────────────────────────────────────────────────────────────────

    def hold(self, size: int) -> None:
        """Count bytes of a body that is being read. Raises Refused where all bodies together are too many."""
        self._held_bytes += size
        if self._held_bytes > MAX_HELD_BYTES:
            raise Refused(503, "busy")

    def let_go(self, size: int) -> None:
        """Count bytes that are not held any more."""
        self._held_bytes -= size


class _Held:
    """How much of what the receiver may hold one request has."""

    def __init__(self, receiver: _Receiver) -> None:
        self._receiver = receiver
        self._size = 0

    def add(self, size: int) -> None:
        self._size += size
        self._receiver.hold(size)

    def release(self) -> None:
        self._receiver.let_go(self._size)


def _token_vendor() -> str:
    """The vendor that is given tokens by us: a refusal of one names no account."""
    return next(slug for slug, declared in all_vendors().items() if declared.push and declared.push.token_clients)


def _vendor_in(path: bytes) -> str | None:
    """Whose address a path begins like that is none; only words of ours are ever told."""
    _, first, slug, *_ = (*path.split(b"/"), b"", b"")
    found = slug.decode("ascii", "replace")
    return f"{found}/?" if first == b"webhooks" and found in all_vendors() else None


def _is_nowhere(push: Push, address: Address, method: str) -> bool:
    """Whether a callback names no check, or a message one."""
    if push.names_check_in_path:
        return method == "PUT" and address.check_id is None
    return address.check_id is not None


def _header(request: Request, name: bytes) -> bytes:
    """The header's bytes; none where it is missing, or given twice, when nobody knows which counts."""
    found = [value for key, value in request.headers.raw if key == name]
    return found[0] if len(found) == 1 else b""


async def _body_of(request: Request, held: _Held) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > MAX_BODY_BYTES:
        await _forget_rest(request)
        raise Refused(413, "too_large")
    body = bytearray()
    is_whole = False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":  # or it took too long, see `webhooks.protocol`
            raise Refused(400, "broken_off")
        piece = message.get("body", b"")
        held.add(len(piece))
        body += piece
        is_whole = not message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            if not is_whole:
                await _forget_rest(request)
            raise Refused(413, "too_large")
    return bytes(body)


async def _forget_rest(request: Request) -> None:
    """Read on for a few megabytes and keep nothing: who is still sending when the line closes never learns why."""
    left = 4 * MAX_BODY_BYTES if "expect" not in request.headers else 0
    while left > 0:
        message = await request.receive()
        left -= len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _is_json(body: bytes) -> bool:
    """Whether it is JSON at all. What is, but cannot be believed, is stored and listed as a reject."""
    try:
        _LENIENT.decode(body.decode("utf-8-sig"))
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


_LENIENT = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_no_constant)


_CLOSING = (408, 413, 429, 503)


def _refusal(refused: Refused, allowed: str = "") -> Response:
    headers = {
        401: {"WWW-Authenticate": "Bearer"},
        405: {"Allow": allowed},
        429: {"Retry-After": "60"},
        503: {"Retry-After": "60"},
    }.get(refused.http_status)
    return JSONResponse({"error": refused.code}, status_code=refused.http_status, headers=headers)


_WORDS = {
    "invalid_client": "The client is unknown or its secret is wrong.",
    "unsupported_grant_type": "The grant type must be client_credentials.",
}


def _no_token(http_status: int, error: str) -> Response:
    # H3: the vendor's form of a failed token call, with the misspelt word spelt right.
    body = {"status_code": http_status, "error": error, "error_description": _WORDS[error]}
    return JSONResponse(body, status_code=http_status, headers={"Cache-Control": "no-store"})


# ── serving ────────────────────────────────────────────────────────────────────────────────────────────


def serve(app: ASGIApp, accounts: Iterable[Account], *, host: str, port: int, tell: Tell) -> None:
    """Serve `application` until SIGTERM or SIGINT. Raises EnvironmentFailed."""
    with listening(host, port) as listener:
        server = http_server(app)
        where = listener.getsockname()
        tell(f"receiving at http://{in_url(where[0])}:{where[1]}/webhooks/<vendor>/<account>")
        for account in accounts:
            if vendor(account.vendor).push:
                tell(f"  {account.key}")
        server.run(sockets=[listener])


def allow_connections() -> None:
    """Have as many files open at once as the system lets us: each connection is one."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
