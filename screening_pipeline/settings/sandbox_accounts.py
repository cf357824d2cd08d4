"""The accounts of the bundled sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from screening_pipeline.domain.conduct import Sandbox
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.paths import Paths, paths_of
from screening_pipeline.settings.settings import Settings, SlaTarget
from screening_pipeline.vendors import all_vendors, vendor


def bundled(environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings of the bundled sandbox, without any configuration file."""
    return _embedded(paths_of(environ, cwd))


def _embedded(paths: Paths) -> Settings:
    played = [(declared, declared.sandbox) for declared in all_vendors().values() if declared.sandbox]
    return Settings(
        accounts=tuple(_sandbox_account(declared, sandbox) for declared, sandbox in played),
        paths=paths,
        environments=("sandbox",),
        sla=tuple(
            SlaTarget(vendor=v.slug, target_business_days=sandbox.promised_business_days, clock=sandbox.promise_clock)
            for v, sandbox in played
            if sandbox.promised_business_days is not None
        ),
        is_embedded_sandbox=True,
    )


def _sandbox_account(declared: Vendor, sandbox: Sandbox) -> Account:
    auth, flow = next(iter(declared.auth.items()))
    pushed = declared.push.roles if declared.push else ()
    return Account(
        vendor=declared.slug,
        name="sandbox",
        base_url="",
        environment="sandbox",
        auth=auth,
        secret_names={role: f"SANDBOX_{declared.slug}_{role}".upper() for role in (*flow.secrets, *pushed)},
        requests_per_minute=declared.requests_per_minute,
        max_concurrency=declared.max_concurrency,
        calendar=declared.calendar,
        timezone=declared.timezone,
        adjudication_expected=bool(sandbox.final_adjudications) or sandbox.is_adjudicated or None,
        e_verify_expected=declared.feed is not None or None,
        final_adjudications=sandbox.final_adjudications,
        status_updates=declared.feed is not None,
        is_bundled=True,
    )


def at_sandbox(account: Account, url: str) -> Account:
    """The account with `base_url` at the running sandbox if it is a bundled one; any other unchanged."""
    sandbox = vendor(account.vendor).sandbox
    if not account.is_bundled or sandbox is None:
        return account
    root = url.rstrip("/")
    token_url = root + sandbox.oauth_path if sandbox.oauth_path else None
    return replace(account, base_url=root + sandbox.path, token_url=token_url)


def with_sandbox_url(settings: Settings, url: str) -> Settings:
    """The settings with the bundled accounts' `base_url` at the sandbox that runs at `url`."""
    return replace(settings, accounts=tuple(at_sandbox(account, url) for account in settings.accounts))
