"""`webhooks`: serves the receiver of pushed updates."""

from __future__ import annotations

from screening_pipeline.base.loopback import is_loopback
from screening_pipeline.webhooks.receiver import allow_connections, application, serve


def webhooks(host: str, port: int) -> int:
    """The `webhooks` command: serves the receiver until stopped; returns the exit code."""
    import os
    from pathlib import Path

    from screening_pipeline.base.clock import system_clock
    from screening_pipeline.cli import console
    from screening_pipeline.runtime import opening
    from screening_pipeline.settings import load

    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    allow_connections()
    work = opening.build_runtime(settings, os.environ, system_clock(os.environ))
    if not is_loopback(host):
        console.warn("this is not loopback: put TLS before it, since tokens and messages cross the wire in clear")
    work.landing.recover()  # what a crash left
    app = application(work.landing, settings, os.environ, work.pull_queue, work.clock, console.say)
    serve(app, settings.accounts, host=host, port=port, tell=console.say)
    return 0
