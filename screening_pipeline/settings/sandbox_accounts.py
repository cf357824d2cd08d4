"""The accounts of the bundled sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.settings import file
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.paths import Paths, paths_of
from screening_pipeline.settings.settings import Settings, SlaTarget
from screening_pipeline.vendors import vendor


def bundled(environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings of the bundled sandbox, whatever is configured."""
    return _embedded(paths_of(environ, cwd))


_SANDBOX_PATHS = {
    "goodhire": "/goodhire/v1",
    "hireright": "/hireright/connect",
    "zinc": "/zinc/partner/v2",
    "workerchecks": "/workerchecks/v1",
    "workable": "/workable/v1",
}
_SANDBOX_OAUTH_PATH = "/hireright/oauth/token"
_SANDBOX_WEBHOOK_SECRETS = {
    "zinc": {"webhook_signing_token": "SANDBOX_ZINC_SIGNING_TOKEN"},
    "workable": {"webhook_token": "SANDBOX_WORKABLE_WEBHOOK_TOKEN"},
    "hireright": {
        "webhook_username": "SANDBOX_HIRERIGHT_USERNAME",
        "webhook_password": "SANDBOX_HIRERIGHT_PASSWORD",
        "webhook_client_id": "SANDBOX_HIRERIGHT_CLIENT_ID",
        "webhook_client_secret": "SANDBOX_HIRERIGHT_CLIENT_SECRET",
    },
}


def _embedded(paths: Paths) -> Settings:
    return Settings(
        accounts=tuple(_sandbox_account(vendor(slug)) for slug in _SANDBOX_PATHS),
        paths=paths,
        environments=("sandbox",),
        sla=(
            SlaTarget(vendor="hireright", target_business_days=5),
            SlaTarget(vendor="workerchecks", target_business_days=15),
            SlaTarget(vendor="zinc", target_business_days=10, clock="total"),
        ),
        is_embedded_sandbox=True,
    )


def _sandbox_account(declared: Vendor) -> Account:
    calendar, zone = file.HOMES.get(declared.slug, file.ELSEWHERE)
    auth, flow = next(iter(declared.auth.items()))
    names = {role: f"SANDBOX_{declared.slug}_{role}".upper() for role in flow.secrets}
    return Account(
        vendor=declared.slug,
        name="sandbox",
        base_url="",
        environment="sandbox",
        auth=auth,
        secret_names=names | _SANDBOX_WEBHOOK_SECRETS.get(declared.slug, {}),
        requests_per_minute=declared.requests_per_minute,
        calendar=calendar,
        timezone=zone,
        adjudication_expected=declared.feed is not None,
        final_adjudications=("Approved By Security",) if declared.feed is not None else (),
        status_updates=declared.feed is not None,
        is_bundled=True,
    )


def at_sandbox(account: Account, url: str) -> Account:
    """A bundled account at the address where the sandbox runs; any other as it is."""
    if not account.is_bundled:
        return account
    root = url.rstrip("/")
    token_url = root + _SANDBOX_OAUTH_PATH if account.auth == "oauth2" else None
    return replace(account, base_url=root + _SANDBOX_PATHS[account.vendor], token_url=token_url)


def with_sandbox_url(settings: Settings, url: str) -> Settings:
    """The same, with the bundled accounts talking to the sandbox that runs at `url`."""
    return replace(settings, accounts=tuple(at_sandbox(account, url) for account in settings.accounts))
