"""A webhook that is told in JSON, and an address that is asked for after each good cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from screening_pipeline.notify.messages import Message

TIMEOUT_SECONDS = 10.0
_TEAMS = (".webhook.office.com", ".logic.azure.com", ".powerplatform.com", ".powerautomate.com")


class NotDelivered(Exception):
    """A receiver did not take a message; the text says why, without its address, which is a secret."""


def post(url: str, message: Message, form: str, *, is_proxied: bool) -> None:
    """Send a message to a webhook, in the form that it takes. Raises NotDelivered."""
    _asked("POST", url, is_proxied=is_proxied, json=body(url, message, form))


def ask(url: str, *, is_proxied: bool) -> None:
    """Ask for an address, whose answer only has to be a good one. Raises NotDelivered."""
    _asked("GET", url, is_proxied=is_proxied)


def body(url: str, message: Message, form: str) -> dict[str, Any]:
    """The message as Slack (a text), Teams (an adaptive card) or anybody else (text and facts) takes it."""
    match form if form != "auto" else _form_of(url):
        case "slack":
            return {"text": message.text}
        case "teams":
            return _card(message)
    return message.facts()


def _form_of(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if host == "hooks.slack.com":
        return "slack"
    return "teams" if host.endswith(_TEAMS) else "plain"


def _card(message: Message) -> dict[str, Any]:
    title, *lines = message.text.split("\n")
    blocks = [{"type": "TextBlock", "text": title, "weight": "Bolder", "wrap": True}]
    blocks += [{"type": "TextBlock", "text": line, "wrap": True} for line in lines]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _asked(method: str, url: str, *, is_proxied: bool, json: Any = None) -> None:
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=is_proxied) as client:
            answer = client.request(method, url, json=json)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
        raise NotDelivered(type(problem).__name__) from None
    if not answer.is_success:
        raise NotDelivered(f"HTTP {answer.status_code}")
