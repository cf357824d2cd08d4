"""`webhooks`: serves the receiver of pushed updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.base.loopback import is_loopback
from screening_pipeline.webhooks.receiver import allow_connections, application, serve

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime


def webhooks(host: str, port: int, *, has_metrics: bool = False, is_log_json: bool = False) -> int:
    """The `webhooks` command: serves the receiver until stopped; returns the exit code."""
    import os
    from pathlib import Path

    from screening_pipeline.cli import console
    from screening_pipeline.landing.spool import left_behind
    from screening_pipeline.runtime import opening
    from screening_pipeline.runtime.shared import shared_clock
    from screening_pipeline.settings import load

    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    allow_connections()
    work = opening.build_runtime(settings, os.environ, shared_clock(settings, os.environ))
    if not is_loopback(host):
        console.warn("this is not loopback: put TLS before it, since tokens and messages cross the wire in clear")
    if left := left_behind(work.landing.recover):  # of what a crash left: no reason to take no messages
        console.warn(left)
    metrics = (lambda: _metrics(work)) if has_metrics else None
    tell = (lambda line: console.log("receiver", work.clock, message=line)) if is_log_json else console.say
    app = application(work.landing, settings, os.environ, work.pull_queue, work.clock, tell, metrics)
    serve(app, settings.accounts, host=host, port=port, tell=tell)
    return 0


def _metrics(work: Runtime) -> tuple[str, bytes]:
    from screening_pipeline.health import metrics
    from screening_pipeline.health.status import status_report

    return metrics.CONTENT_TYPE, metrics.exposition(status_report(work.settings, work.environ, work.clock))
