"""What changed since somebody was told last, and the message that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from screening_pipeline.notify.troubles import Trouble

State = Literal["new", "more", "over", "test"]
_MARKS = {
    "new": "\N{LARGE RED CIRCLE}",
    "more": "\N{LARGE RED CIRCLE}",
    "over": "\N{LARGE GREEN CIRCLE}",
    "test": "\N{LARGE BLUE CIRCLE}",
}


@dataclass(frozen=True)
class Change:
    """One change: a trouble that is new, has grown, or is over; `words` are for a person."""

    name: str
    state: State
    words: str


@dataclass(frozen=True)
class Message:
    """One message to everybody who is to be told. `id` is the same for each try and each receiver."""

    id: str
    at: datetime
    changes: tuple[Change, ...]

    @property
    def title(self) -> str:
        """One line: how much is wrong, how much is well again."""
        if all(change.state == "test" for change in self.changes):
            return "screening_pipeline: a test"
        wrong = sum(change.state != "over" for change in self.changes)
        well = len(self.changes) - wrong
        parts = [f"{wrong} need attention" if wrong > 1 else "1 needs attention"] if wrong else []
        parts += [f"{well} over"] if well else []
        return f"screening_pipeline: {', '.join(parts)}"

    @property
    def text(self) -> str:
        """The title and a line for each change."""
        return "\n".join([self.title, *(f"{_MARKS[change.state]} {change.words}" for change in self.changes)])

    def facts(self) -> dict[str, Any]:
        """The message as JSON values; receivers that know no more read `text`."""
        return {
            "text": self.text,
            "title": self.title,
            "id": self.id,
            "at": self.at.isoformat(),
            "source": "screening_pipeline",
            "changes": [asdict(change) for change in self.changes],
        }

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Message:
        """The message from the JSON values of `facts`."""
        changes = tuple(Change(**change) for change in facts["changes"])
        return cls(facts["id"], datetime.fromisoformat(facts["at"]), changes)


def changes(known: Mapping[str, Mapping[str, Any]], now: Iterable[Trouble]) -> list[Change]:
    """What is new, more or over, against what was `known` (words and count by name)."""
    present = {trouble.name: trouble for trouble in now}
    found = [_change(known.get(name), trouble) for name, trouble in present.items()]
    over = [Change(name, "over", f"Over: {known[name]['words']}") for name in known if name not in present]
    return [change for change in (*found, *over) if change is not None]


def _change(before: Mapping[str, Any] | None, trouble: Trouble) -> Change | None:
    if before is None:
        return Change(trouble.name, "new", trouble.words)
    return Change(trouble.name, "more", trouble.words) if trouble.count >= 2 * before["count"] > 1 else None
