"""Events that never reached the views: Event Grid's dead letters, and what the projection has parked.

Makes one kind of thing of both, with the reason, and lets go of those that have arrived after all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from operations.letters import DeadLetters, LetterBlob
from order_events import OrderStatusUpdated, UndecodableEvent, decode, format_moment
from update_order_status_read_model.parking import ParkedEvent, ParkingLot

ID_CHARACTERS_SHOWN_MAX = 200


class Source(StrEnum):
    """Where it lies."""

    DEAD_LETTER = "dead-letter"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One event: where it lies, since when and why; what it says, or why that cannot be understood."""

    source: Source
    key: str
    since: datetime
    reason: str
    text: str
    event: OrderStatusUpdated | None
    problem: str | None

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "source": self.source.value,
            "key": self.key,
            "since": format_moment(self.since),
            "reason": self.reason,
            "orderId": self.event and self.event.order_id,
            "eventId": self.event and self.event.event_id,
            "version": self.event and self.event.version,
            "problem": self.problem,
        }


Keep = Callable[[set[int]], Awaitable[bool]]
"""Lets go of all but those at these places; False when they changed meanwhile and all stay."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Events that lie together, and letting go of some of them."""

    events: Sequence[Undelivered]
    keep: Keep


@dataclass(frozen=True, slots=True)
class Filter:
    """Which undelivered events are meant; what is None does not matter."""

    source: Source | None = None
    reason: str | None = None
    since: datetime | None = None
    order_id: str | None = None
    event_id: str | None = None

    def admits(self, each: Undelivered) -> bool:
        """Whether `each` is meant."""
        return (
            (self.reason is None or self.reason.casefold() in each.reason.casefold())
            and (self.since is None or each.since >= self.since)
            and (self.order_id is None or mentions(each, self.order_id))
            and (self.event_id is None or self.event_id == _event_id(each))
        )


def mentions(each: Undelivered, order_id: str) -> bool:
    """Whether it is about this order, as far as one can tell without understanding it."""
    if each.event is not None:
        return each.event.order_id == order_id
    # Also where data is JSON within a string, its quotes escaped once or more.
    return re.search(rf'orderId\\*"\s*:\s*\\*"{re.escape(order_id)}\\*"', each.text) is not None


def _event_id(each: Undelivered) -> str | None:
    if each.event is not None:
        return each.event.event_id
    found = re.search(rf'"id"\s*:\s*"([^"]{{1,{ID_CHARACTERS_SHOWN_MAX}}})"', each.text)
    return found[1] if found else None


async def portions(letters: DeadLetters, parking: ParkingLot, source: Source | None) -> AsyncIterator[Portion]:
    """All that lies in `source` (None: anywhere), in portions that can be sent at once."""
    if source in (None, Source.PARKED):
        async for parked in parking.list():
            yield _parked(parking, parked)
    if source in (None, Source.DEAD_LETTER) and (source or letters.configured):
        async for blob in letters.list():
            yield _dead(letters, blob)


def _parked(parking: ParkingLot, parked: ParkedEvent) -> Portion:
    event, problem = _understand(parked.payload)
    each = Undelivered(Source.PARKED, parked.parked_id, parked.parked_at, parked.reason, parked.payload, event, problem)

    async def keep(places: set[int]) -> bool:
        return bool(places) or await parking.remove(parked)

    return Portion((each,), keep)


def _dead(letters: DeadLetters, blob: LetterBlob) -> Portion:
    events = []
    for place, letter in enumerate(blob.letters):
        event, problem = _understand(letter.text)
        key = f"{blob.name}#{place}"
        events.append(
            Undelivered(Source.DEAD_LETTER, key, letter.dead_since, letter.reason, letter.text, event, problem)
        )
    if blob.unreadable:
        events.append(
            Undelivered(Source.DEAD_LETTER, blob.name, blob.modified, "unreadable blob", "", None, blob.unreadable)
        )

    async def keep(places: set[int]) -> bool:
        return len(places) == len(events) or await letters.keep(blob, places)

    return Portion(events, keep)


def _understand(text: str) -> tuple[OrderStatusUpdated | None, str | None]:
    try:
        return decode(text), None
    except UndecodableEvent as failure:
        return None, str(failure)
