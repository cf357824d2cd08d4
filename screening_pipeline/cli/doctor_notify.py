"""What `doctor --notify-test` finds: whether each receiver takes a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from screening_pipeline.cli.findings import Finding
from screening_pipeline.notify.attend import trial_message
from screening_pipeline.notify.receivers import receivers, tell_alive
from screening_pipeline.notify.webhook import NotDelivered

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.settings import Settings


def tried(settings: Settings, environ: Mapping[str, str], clock: Clock) -> Iterator[Finding]:
    """Send a test message to each receiver, once, and ask for the address of good cycles."""
    message = trial_message(clock.now())
    known: dict[str, Callable[[], None]] = {
        name: partial(deliver, message) for name, deliver in receivers(settings, environ).items()
    }
    if settings.notify.alive_url_env:
        known["alive"] = partial(tell_alive, settings, environ)
    if not known:
        fix = "name a webhook, a command or a mail address under [notify] in screening.toml"
        yield Finding("notify", "warn", "nobody is to be told when something goes wrong", fix)
    for name, deliver in known.items():
        yield _tried(name, deliver)


def _tried(name: str, deliver: Callable[[], None]) -> Finding:
    try:
        deliver()
    except NotDelivered as problem:
        fix = f"see the keys of [notify] for {name}, and the variables that they name"
        return Finding(f"notify {name}", "fail", f"has not taken a test message: {problem}", fix)
    return Finding(f"notify {name}", "ok", "has taken a test message; see that it has arrived")
