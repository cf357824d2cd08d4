"""How long a bounded run goes on asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening_pipeline.base.files import mark_of
from screening_pipeline.runtime import unread

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.runtime.results import AccountReport

# In a bounded run an account is asked for so long, and then for what is most urgent by then.
LOOK_SECONDS = 60.0
# Dagster's pages tell of what is wrong when the run has ended: then it goes on for so long at most.
SECONDS_IN_TROUBLE = 300.0


@dataclass(slots=True)
class Stay:
    """How long a run goes on: for `seconds` (None: it asks once what is due at its start), less where it is told so.

    It ends sooner once an account is in trouble, the configuration has changed, or, if it `is_lingering`, orders wait.
    """

    runtime: Runtime
    seconds: float | None
    is_lingering: bool
    _begun_at: float = field(init=False)
    _configured: object = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self._begun_at = self.runtime.clock.monotonic()
        self._configured = self._mark_of_configuration()

    def note(self, report: AccountReport) -> None:
        """Note what came of a look at an account."""
        if self.seconds is not None and report.needs_attention:
            self.seconds = min(self.seconds, SECONDS_IN_TROUBLE)

    def left(self) -> float | None:
        """Seconds that are left; None: as long as it takes."""
        if self.seconds is None:
            return None
        return self._begun_at + self.seconds - self.runtime.clock.monotonic()

    def seconds_of_a_look(self) -> float | None:
        """How long one look at an account may take."""
        left = self.left()
        return None if left is None else max(0.0, min(LOOK_SECONDS, left))

    def goes_on(self, *, pause: float, is_any_at_work: bool) -> bool:
        """Whether to look again after a pause of so many seconds."""
        left = self.left()
        if left is None or left <= pause or self._mark_of_configuration() != self._configured:
            return False
        return is_any_at_work or (self.is_lingering and not self._do_orders_wait())

    def _mark_of_configuration(self) -> object:
        """What changes with screening.toml; a run goes by what it said when its process began."""
        path = self.runtime.settings.config_path
        return None if path is None else mark_of(path)

    def _do_orders_wait(self) -> bool:
        """Whether there are orders that the next run would read."""
        settings = self.runtime.settings
        folder = unread.manifest_marks(settings)
        return bool(folder) and not unread.are_manifests_read(self.runtime.pull_queue, settings, folder)
