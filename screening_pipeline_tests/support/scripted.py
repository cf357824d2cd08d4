"""A vendor's asset with one scripted answer: what a test of an asset needs, and nothing of Dagster's around it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.runtime.opening import build_runtime, use_runtime
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings.account import Account
from screening_pipeline.state.pull_queue import QueuedPull
from screening_pipeline.vendors import vendor
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving

_TOKEN = {"access_token": "t", "token": "t", "token_type": "Bearer", "expires_in": 3600}


@contextmanager
def scripted(
    slug: str, folder: Path, check_id: str, body: Mapping[str, Any], *, status: int = 200
) -> Iterator[Screening]:
    """The resource of a data folder with one check that is due, of a vendor that answers every call with this."""

    def answering(asked: Asked) -> Reply:
        if "token" in asked.target:
            return json_reply(_TOKEN)
        return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    with serving(answering) as server:
        bundled = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
        account, environ = _account(slug, server.url)
        settings = replace(bundled, accounts=(account,), is_embedded_sandbox=False)
        settings.paths.create()
        runtime = build_runtime(settings, environ, SystemClock())
        subject, now = vendor(slug).default_subject, runtime.clock.now()
        due = QueuedPull(1, slug, account.name, subject, check_id, now, "of a test")
        runtime.pull_queue.replace(slug, account.name, [due])
        with use_runtime(runtime):
            yield Screening()


def _account(slug: str, url: str) -> tuple[Account, dict[str, str]]:
    """The vendor's account `sandbox` at this address, and an environment with its secrets."""
    declared = vendor(slug)
    auth, flow = next(iter(declared.auth.items()))
    names = {role: f"TEST_{role}".upper() for role in flow.secrets}
    account = Account(
        vendor=slug,
        name="sandbox",
        base_url=url,
        token_url=f"{url}/token",
        environment="sandbox",
        auth=auth,
        secret_names=names,
        requests_per_minute=declared.requests_per_minute,
        max_concurrency=1,
        calendar=declared.calendar,
        timezone=declared.timezone,
    )
    return account, dict.fromkeys(names.values(), "of-a-test")
