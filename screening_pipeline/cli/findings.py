"""One finding of `doctor`: how grave, about what, and the fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One finding of `doctor`: level, subject, message; `fix` is empty where nothing is to be done."""

    name: str
    level: Level
    message: str
    fix: str = ""
