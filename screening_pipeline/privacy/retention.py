"""Retention of raw bodies: older ones are reduced to the addresses that the star is computed from.

Files in which nothing was left to reduce are noted in the shared state, and not read again until they change, or what
is reduced does. The note may be lost: then all are read once more.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from datetime import date, timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from screening_pipeline import vendors
from screening_pipeline.domain import declaration, vocabulary
from screening_pipeline.landing import line, reduction
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse.reference import part_words

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.state.pull_queue import PullQueue


_NOTE = "bodies_reduced"


def reduce_old_bodies(runtime: Runtime) -> int:
    """Reduce bodies older than `[privacy] keep_raw_days`; the number of changed lines.

    Nothing is reduced where no number is set. A rebuild gives the same star as before.
    """
    before = first_day_kept(runtime.clock.now().date(), runtime.settings.privacy.keep_raw_days)
    if before is None:
        return 0
    landing = runtime.landing
    named = {(a.vendor, a.name): a.flex_fields for a in runtime.settings.accounts if a.flex_fields}
    rules = _rules(sorted(named.items()))
    known = _noted(runtime.pull_queue, rules)
    # As they are before they are read: what is appended meanwhile makes another file of them.
    marks = landing.marks()
    done = {file for file, mark in marks.items() if mark and known.get(file) == mark}
    changed = landing.purge(before, part_key=runtime.part_key, part_words=part_words, but=done, flex_fields=named)
    done |= {file for file, lines in changed.items() if file in marks and not lines}
    noted = {"rules": rules, "files": {file: marks[file] for file in sorted(done)}}
    runtime.pull_queue.remember(_NOTE, json.dumps(noted))
    return sum(changed.values())


def _noted(pull_queue: PullQueue, rules: str) -> dict[str, list[int]]:
    """The files in which these rules left nothing to reduce, with their marks."""
    kept = json.loads(pull_queue.note(_NOTE) or "{}")
    return dict(kept["files"]) if kept.get("rules") == rules else {}


def _rules(named: object) -> str:
    """Changes with what is reduced: with the code that does it, and with what vendors declare and accounts name."""
    declared = (import_module(f"{vendors.__name__}.{slug}") for slug in sorted(all_vendors()))
    sources = map(inspect.getsource, (reduction, line, declaration, vocabulary, *declared))
    return hashlib.sha256(("".join(sources) + json.dumps(named)).encode()).hexdigest()


def first_day_kept(today: date, keep_raw_days: int | None) -> date | None:
    """The first day (UTC) whose bodies are kept in full; None: all are."""
    return None if keep_raw_days is None else today - timedelta(days=keep_raw_days)
