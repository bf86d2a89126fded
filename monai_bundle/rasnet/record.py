"""The record of a case: every change with the one that it builds upon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rasnet.case import Case, JournalEntry

_NOT_OF_PIXELS = "set status"


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        entry: who, when, tool, what, and the hashes of the mask before and after.
        parent: id of the entry that made the mask which this one changes or speaks of; None where there was none, and
            for changes that are not about one frame.
    """

    entry: JournalEntry
    parent: int | None

    def to_json(self) -> dict[str, Any]:
        """Give the change as an object that JSON can hold."""
        return {**asdict(self.entry), "parent": self.parent}


def short(value: str | None) -> str:
    """A hash by its first eight digits, as it is enough for people; other words as they are; "" for None."""
    return "" if value is None else value[:8] if is_hash(value) else value


def is_hash(value: str) -> bool:
    """Whether what an entry says of before or after is a SHA-256, and no word of a person's."""
    return len(value) == 64 and all(digit in "0123456789abcdef" for digit in value)


def read_changes(case: Case, *, frame: int | None = None, who: str | None = None) -> Iterator[Change]:
    """Give the changes of a case, oldest first.

    Args:
        case: the case.
        frame: only those of this frame; None for all.
        who: only those of this person or model; None for all.
    """
    masks: dict[int, JournalEntry] = {}
    for entry in case.journal(frame):
        before = None if entry.frame is None else masks.get(entry.frame)
        if who is None or entry.who == who:
            yield Change(entry, None if before is None else before.id)
        if entry.frame is not None and entry.what != _NOT_OF_PIXELS:
            masks[entry.frame] = entry
