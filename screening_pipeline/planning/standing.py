"""What the plan of a whole account leaves for plans of a few of its checks, until the next whole one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POINTS = 33


@dataclass(frozen=True)
class Standing:
    """The load of an account, and the line in which its checks wait for calls.

    `changes` are expected per second, `lag` is the price of a call in seconds. Whoever wants a call at `wanted[i]` got
    it `delay[i]` later; both in seconds, `wanted` since 1970 and rising.
    """

    checks: int
    changes: float
    lag: float
    is_overloaded: bool
    wanted: tuple[float, ...] = ()
    delay: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Standing:
        """What `to_dict` wrote."""
        return cls(**{**data, "wanted": tuple(data["wanted"]), "delay": tuple(data["delay"])})

    def in_line(self, wanted: Floats, got: Floats) -> Standing:
        """The same with this line: when calls were wanted, and when they were had."""
        chosen = np.unique(np.linspace(0, len(wanted) - 1, min(len(wanted), POINTS)).astype(np.int64))
        delay = (got - wanted)[chosen].tolist()
        return replace(self, wanted=tuple(wanted[chosen].tolist()), delay=tuple(delay))

    def to_dict(self) -> dict[str, Any]:
        """As numbers and lists, to be stored as JSON."""
        return asdict(self)

    def got(self, wanted: Floats) -> Floats:
        """When calls that are wanted at these instants are had, after all who stand in line before."""
        if not self.wanted:
            return wanted
        return wanted + np.interp(wanted, self.wanted, self.delay)

    @property
    def longest_delay(self) -> float:
        """Seconds."""
        return max(self.delay, default=0.0)
