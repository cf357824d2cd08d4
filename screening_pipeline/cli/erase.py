"""`erase`: removes a person, or says who would be removed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from screening_pipeline.base.errors import UsageError
from screening_pipeline.cycle.erase import erase_candidate, erase_check


def command(candidate_ref: str | None, check: tuple[str, str] | None, account: str | None, *, is_json: bool) -> int:
    """The `erase` command: erases and prints counts, never names; returns the exit code."""
    import os

    from screening_pipeline.cli import console
    from screening_pipeline.runtime import opening
    from screening_pipeline.runtime.shared import shared_clock
    from screening_pipeline.settings import load

    if (candidate_ref is None) == (check is None):
        raise UsageError("name either --candidate-ref REF or --check VENDOR CHECK_ID", code="usage")
    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    work = opening.build_runtime(settings, os.environ, shared_clock(settings, os.environ))
    erased = erase_check(work, *check, account) if check else erase_candidate(work, _given(candidate_ref or ""))
    if is_json:
        console.say_json(asdict(erased) if erased else None)
    elif erased is None:
        console.say("erased before; nothing has come since")
    else:
        counts = f"{erased.check_count} checks, {erased.response_count} responses, {erased.order_count} orders"
        console.say(f"erased {counts}; {erased.erasure_id} in ops.erasure")
    return 0


def _given(candidate_ref: str) -> str:
    """The reference; `-` is a line of standard input, which neither the list of processes nor a history shows."""
    return sys.stdin.readline().rstrip("\r\n") if candidate_ref == "-" else candidate_ref
