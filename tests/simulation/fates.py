"""What may befall one call between two services: the catalogue of faults that a history chooses from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

SLOW_SECONDS = 1.5
"""Slow, but within every client's patience: whatever else goes on overtakes it."""
LATE_SECONDS = 60.0
"""Longer than any client waits: the work is done when its caller has long given up."""
HELD_SECONDS = 3600.0
"""A delivery comes an hour late, after everything that followed it."""

Kind = Literal["read", "write", "conditional", "batch", "publish", "delivery"]


class What(Enum):
    """The manner of a fault."""

    PASSES = "passes"
    CRASH_BEFORE = "the host dies before it is done"
    CRASH_AFTER = "the host dies after it is done"
    DROPPED = "the connection breaks before it is done"
    LOST = "it is done, the answer is lost"
    SLOW = "it is slow"
    LATE = "it is done when nobody waits any more"
    DUPLICATE = "it is done twice"
    REFUSED = "refused"
    DONE_BUT_REFUSED = "it is done, the answer says otherwise"


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls one call; a refusal has a status."""

    what: What = What.PASSES
    status: int = 0
    substatus: int = 0

    def __str__(self) -> str:
        return f"{self.what.value} {self.status}" if self.status else self.what.value


PASSES = Fate()
_CUT = (Fate(What.CRASH_BEFORE), Fate(What.DROPPED), Fate(What.LATE), Fate(What.SLOW))
_DONE = (Fate(What.CRASH_AFTER), Fate(What.LOST))
_BUSY = tuple(Fate(What.REFUSED, status) for status in (408, 429, 503))
_GONE = Fate(What.REFUSED, 410, 1002)
_AMBIGUOUS = Fate(What.DONE_BUT_REFUSED, 408)

FATES: dict[Kind, tuple[Fate, ...]] = {
    "read": (*_CUT, *_BUSY, _GONE),
    "write": (*_CUT, *_DONE, *_BUSY, _GONE, _AMBIGUOUS, Fate(What.REFUSED, 449)),
    "batch": (*_CUT, *_DONE, *_BUSY, _GONE, _AMBIGUOUS, Fate(What.REFUSED, 449)),
    "conditional": (*_CUT, *_DONE, *_BUSY, _GONE, _AMBIGUOUS, Fate(What.REFUSED, 449), Fate(What.REFUSED, 412)),
    "publish": (*_CUT, *_DONE, *_BUSY, Fate(What.DUPLICATE)),
    "delivery": (*_CUT, *_DONE, Fate(What.REFUSED, 503), Fate(What.DUPLICATE)),
}
"""By kind of call. A 412 of a batch or a replace comes about by rivals alone: those are choices of order."""
