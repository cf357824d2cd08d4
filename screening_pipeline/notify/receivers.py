"""Whoever is to be told, by name, each with its way of delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from screening_pipeline.notify import others, webhook
from screening_pipeline.notify.webhook import NotDelivered

if TYPE_CHECKING:
    from screening_pipeline.notify.messages import Message
    from screening_pipeline.settings.settings import Settings

Deliver = Callable[["Message"], None]
"""Delivers one message, or raises NotDelivered."""


def receivers(settings: Settings, environ: Mapping[str, str]) -> dict[str, Deliver]:
    """The configured receivers by name: webhook, command, mail."""
    told = settings.notify
    found: dict[str, Deliver] = {}
    if told.webhook_url_env:
        found["webhook"] = partial(_to_webhook, settings, environ)
    if told.command:
        found["command"] = partial(others.run, told.command)
    if told.mail_to:
        found["mail"] = partial(others.mail, told, environ)
    return found


def _to_webhook(settings: Settings, environ: Mapping[str, str], message: Message) -> None:
    told = settings.notify
    url = _address(told.webhook_url_env, environ)
    webhook.post(url, message, told.webhook_format, is_proxied=settings.http.proxies_from_environment)


def tell_alive(settings: Settings, environ: Mapping[str, str]) -> None:
    """Ask for the address that is to be asked for after each good cycle. Raises NotDelivered."""
    url = _address(settings.notify.alive_url_env, environ)
    webhook.ask(url, is_proxied=settings.http.proxies_from_environment)


def _address(variable: str | None, environ: Mapping[str, str]) -> str:
    url = environ.get(variable or "", "").strip()
    if not url:
        raise NotDelivered(f"{variable} is not set")
    return url
