"""What `doctor` finds among the decisions that an account offers: words that nobody has given a meaning yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cli.doctor_accounts import probing_client
from screening_pipeline.cli.findings import Finding
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import catalog, session, store

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.domain.conduct import WordList
    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.rate_limit import Limiter


def offer_findings(settings: Settings, environ: Mapping[str, str], limiter: Limiter, clock: Clock) -> Iterator[Finding]:
    """A finding for each account whose vendor lists its adjudication words, once one of its checks was decided."""
    is_proxied = settings.http.proxies_from_environment
    for account in settings.accounts:
        declared = vendor(account.vendor).offered_adjudications
        is_callable = account.base_url and account.is_asked and not account.missing_secrets(environ)
        decided = _decided(settings, account, declared.subject) if declared and is_callable else None
        if declared and decided:
            secrets = account.secrets(environ)
            client = probing_client(account, secrets, limiter, clock, is_proxied=is_proxied)
            yield from _found(settings, account, asyncio.run(_asked(client, declared, decided)))


async def _asked(client: AccountClient, declared: WordList, check_id: str) -> tuple[str, ...]:
    async with client:
        try:
            return await client.offered(declared, check_id)
        except ScreeningError:
            return ()  # the probe has told of it


def _found(settings: Settings, account: Account, offered: tuple[str, ...]) -> Iterator[Finding]:
    if not offered:
        return
    known = {*_mapped(settings, account), *account.final_adjudications, *account.status_aliases}
    name, strange = f"{account.key} adjudications", [word for word in offered if word not in known]
    if not strange:
        yield Finding(name, "ok", f"offers {', '.join(offered)}")
        return
    fix = "those that end a check into final_adjudications, others into status_aliases, as a documented word"
    yield Finding(name, "warn", f"offers {', '.join(strange)}, which nobody has given a meaning", fix)


def _decided(settings: Settings, account: Account, subject: str) -> str | None:
    """The id of a check that was decided already: nothing is offered for one that was not."""
    given = {"vendor": quote(account.vendor), "account": quote(account.name), "subject": quote(subject)}
    found = _published(settings, catalog.statement("find_decided_check", **given))
    return next((str(row["check_id"]) for row in found), None)


def _mapped(settings: Settings, account: Account) -> set[str]:
    query = catalog.statement("find_adjudication_words", vendor=quote(account.vendor))
    return {str(row["value"]) for row in _published(settings, query)}


def _published(settings: Settings, query: str) -> list[dict[str, Any]]:
    if not settings.paths.published.exists():
        return []
    with store.reader(settings.paths.published) as connection:
        return session.rows(connection, query)
