"""What vendors push: proven, made durable, and only then answered 2xx; the next cycle settles it.

    POST /webhooks/{vendor}/{account}             a message; what it is about stands in its body
    PUT  /webhooks/{vendor}/{account}/{check_id}  a callback whose body does not say what it is about
    GET  /oauth/token                             a bearer token for senders that ask for one first

Nothing is read before it is proven. Of a request only the account and a word are told, never a path, a header
or a body. It speaks plain HTTP and listens on loopback: whoever faces the internet puts TLS before it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from screening_pipeline.base.errors import EnvironmentFailed, MissingSecret
from screening_pipeline.domain.exchange import Exchange, new_response_id
from screening_pipeline.http import wire
from screening_pipeline.vendors import vendor
from screening_pipeline.webhooks.proofs import TOKEN_SECONDS, Proofs
from screening_pipeline.webhooks.server import http_server, in_url, listening

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.domain.conduct import Push
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings


MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
RUN_ID = "webhooks"
SEALED_UNDER = "tokens of pushed messages"

Tell = Callable[[str], None]
"""Told one line for each request that named an account."""


class Refused(Exception):
    """Why a request is not taken: an HTTP status and a code; never anything of the request."""

    def __init__(self, http_status: int, code: str) -> None:
        super().__init__(code)
        self.http_status = http_status
        self.code = code


def application(
    landing: Landing, settings: Settings, environ: Mapping[str, str], clock: Clock, tell: Tell
) -> Starlette:
    """The receiver as an ASGI application."""
    proofs = Proofs(settings.accounts, environ, clock=clock, key=landing.key_for(SEALED_UNDER))
    receiver = _Receiver(landing, proofs, clock, tell)
    return Starlette(
        routes=[
            Route("/webhooks/{vendor}/{account}", receiver.message, methods=["POST"]),
            Route("/webhooks/{vendor}/{account}/{check_id:path}", receiver.callback, methods=["PUT"]),
            Route("/oauth/token", receiver.token, methods=["GET"]),
        ]
    )


class _Receiver:
    def __init__(self, landing: Landing, proofs: Proofs, clock: Clock, tell: Tell) -> None:
        self._landing = landing
        self._clock = clock
        self._tell = tell
        self._proofs = proofs

    async def message(self, request: Request) -> Response:
        return await self._answered(request, None)

    async def callback(self, request: Request) -> Response:
        check_id = request.path_params["check_id"]
        return await self._answered(request, check_id)

    async def token(self, request: Request) -> Response:
        given = request.query_params
        if given.get("grant_type") != "client_credentials":
            return _no_token(400, "unsupported_grant_type")
        token = self._proofs.issue(given.get("client_id", ""), given.get("client_secret", ""))
        if token is None:
            return _no_token(401, "invalid_client")
        # H3: the vendor writes the number of seconds as a text.
        body = {"access_token": token, "expires_in": str(TOKEN_SECONDS), "token_type": "bearer"}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def _answered(self, request: Request, check_id: str | None) -> Response:
        account = self._proofs.account(request.path_params["vendor"], request.path_params["account"])
        push = vendor(account.vendor).push if account else None
        if account is None or push is None or not _is_address(push, check_id):
            return _refusal(Refused(404, "unknown_account"))
        try:
            response_id = await self._taken(request, account, push.header, check_id)
        except Refused as refused:
            self._tell(f"{account.key}: {refused.http_status} {refused.code}")
            return _refusal(refused)
        self._tell(f"{account.key}: stored")
        return JSONResponse({"stored": response_id})

    async def _taken(self, request: Request, account: Account, header: str, check_id: str | None) -> str:
        """The id of the message, once it is on disk. Raises Refused."""
        requested_at = self._clock.now()
        proof = _header(request, header.lower().encode())
        body = await _body_of(request)
        await run_in_threadpool(self._prove, account, proof, body)
        if not await run_in_threadpool(_is_json, body):
            raise Refused(400, "not_json")
        received_at = self._clock.now()
        exchange = Exchange(
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
        return await run_in_threadpool(self._stored, exchange)

    def _prove(self, account: Account, proof: bytes, body: bytes) -> None:
        try:
            if not self._proofs.holds(account, proof, body):
                raise Refused(401, "bad_proof")
        except MissingSecret:  # ours to mend: the vendor will try again
            raise Refused(503, "secret_not_set") from None

    def _stored(self, exchange: Exchange) -> str:
        try:
            return self._landing.receive(exchange).response_id
        except (EnvironmentFailed, OSError):  # also where it is safe in the spool: a copy is no second event
            raise Refused(503, "not_stored") from None


def _is_address(push: Push, check_id: str | None) -> bool:
    """Whether messages of this vendor may come to the account's address, or to that of one check."""
    return check_id is None or (push.names_check_in_path and bool(check_id))


def _header(request: Request, name: bytes) -> bytes:
    """The header's bytes; none where it is missing, or given twice, when nobody knows which counts."""
    found = [value for key, value in request.headers.raw if key == name]
    return found[0] if len(found) == 1 else b""


async def _body_of(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > MAX_BODY_BYTES:
        raise Refused(413, "too_large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise Refused(413, "too_large")
    except TimeoutError:
        raise Refused(408, "too_slow") from None
    except ClientDisconnect:
        raise Refused(400, "broken_off") from None
    return bytes(body)


def _is_json(body: bytes) -> bool:
    """Whether it is JSON at all. What is, but cannot be believed, is stored and listed as a reject."""
    try:
        json.loads(body.decode("utf-8-sig"), parse_int=len, parse_float=len, parse_constant=_no_constant)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _refusal(refused: Refused) -> Response:
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "60"}}.get(refused.http_status)
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


def serve(app: Starlette, accounts: Iterable[Account], *, host: str, port: int, tell: Tell) -> None:
    """Serve `application` until SIGTERM or SIGINT. Raises EnvironmentFailed."""
    with listening(host, port) as listener:
        server = http_server(app)
        where = listener.getsockname()
        tell(f"receiving at http://{in_url(where[0])}:{where[1]}/webhooks/<vendor>/<account>")
        for account in accounts:
            if vendor(account.vendor).push:
                tell(f"  {account.key}")
        server.run(sockets=[listener])
