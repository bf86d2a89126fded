"""What the journal of a case says, as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rasnet.case import Case, JournalEntry
from rasnet.record import is_hash, short

MOST = 300
"""Changes that are read at most, the newest."""


@dataclass(frozen=True)
class Event:
    """One change.

    Attributes:
        when: by the clock of this computer, to the minute.
        frame: index; "" where the change is about the whole case.
        who: a person, or a model's name for a prediction.
        what: was done, with the values before and after.
        tool: the program, with its version.
        details: all that the journal has of it.
    """

    when: str
    frame: str
    who: str
    what: str
    tool: str
    details: str


def read_history(case: Case, frame: int | None = None) -> list[Event]:
    """Give the newest changes, newest first; the video is not looked at.

    Args:
        case: the case.
        frame: only those of this frame; None for all.
    """
    return [_event(entry) for entry in case.latest_changes(MOST, frame)]


def _event(entry: JournalEntry) -> Event:
    time = datetime.fromisoformat(entry.when).astimezone()
    change = f"{short(entry.before) or 'nothing'} → {short(entry.after) or 'nothing'}"
    return Event(
        when=f"{time:%Y-%m-%d %H:%M}",
        frame="" if entry.frame is None else str(entry.frame),
        who=entry.who,
        what=_words(entry),
        tool=entry.tool,
        details=f"Change {entry.id}, {time:%Y-%m-%d %H:%M:%S}, by {entry.who} with {entry.tool}: {change}",
    )


def _words(entry: JournalEntry) -> str:
    """What was done; hashes of masks say nothing to a person."""
    what = entry.what if entry.layer is None else f"{entry.what}, no. {entry.layer}"
    values = [value for value in (entry.before, entry.after) if value and not is_hash(value)]
    return f"{what}: {' → '.join(values)}" if values else what
