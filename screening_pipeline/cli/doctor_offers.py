"""What `doctor` finds among the decisions that an account offers: words that nobody has given a meaning yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cli.doctor_accounts import probing_client
from screening_pipeline.cli.findings import Finding
from screening_pipeline.health.status import published
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import catalog

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
        if declared is None or not account.is_callable(environ):
            continue
        decided, mapped = _known(settings, account, declared.subject)
        if decided:
            client = probing_client(account, account.secrets(environ), limiter, clock, is_proxied=is_proxied)
            offered = asyncio.run(_asked(client, declared, decided))
            yield from _found(account, offered, {*mapped, *account.final_adjudications, *account.status_aliases})


async def _asked(client: AccountClient, declared: WordList, check_id: str) -> tuple[str, ...]:
    async with client:
        try:
            return await client.offered(declared, check_id)
        except ScreeningError:
            return ()  # the probe has told of it


def _found(account: Account, offered: tuple[str, ...], known: set[str]) -> Iterator[Finding]:
    if not offered:
        return
    name, strange = f"{account.key} adjudications", [word for word in offered if word not in known]
    if not strange:
        yield Finding(name, "ok", f"offers {', '.join(offered)}")
        return
    fix = "those that end a check into final_adjudications, others into status_aliases, as a documented word"
    yield Finding(name, "warn", f"offers {', '.join(strange)}, which nobody has given a meaning", fix)


def _known(settings: Settings, account: Account, subject: str) -> tuple[str | None, set[str]]:
    """The id of a check that was decided already, since nothing is offered for others, and the words with a meaning."""
    given = {"vendor": quote(account.vendor), "account": quote(account.name), "subject": quote(subject)}
    decided, mapped = published(
        settings,
        catalog.statement("find_decided_check", **given),
        catalog.statement("find_adjudication_words", vendor=given["vendor"]),
    )
    return next((str(row["check_id"]) for row in decided), None), {str(row["value"]) for row in mapped}
