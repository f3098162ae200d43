"""Which generation of the read container is read, and which are written: a pointer document says so.

Two generations are provisioned beforehand. Ordinarily one is read and written; whoever rebuilds the views has both
written, until the pointer is switched to the new one. A process trusts what it knows for a few seconds: between
announcing a generation and replaying into it a rebuild must wait for longer, or an event could miss it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from azure.cosmos.aio import ContainerProxy

from update_order_status_read_model.limits import GENERATIONS_CACHE_SECONDS
from update_order_status_read_model.point_reads import read_point

POINTER_ID = ":generations"
"""Its id and its partition, in the container of parked events; no order id has a colon."""


@dataclass(frozen=True, slots=True)
class Generations:
    """Which generation queries read, and which projections write."""

    read: int = 1
    written: tuple[int, ...] = (1,)


def read_pointer(document: Mapping[str, Any]) -> Generations:
    """What the pointer document says."""
    return Generations(document["read"], tuple(document["written"]))


class GenerationPointer:
    """Knows the pointer, and looks again after GENERATIONS_CACHE_SECONDS."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._container = container
        self._now = now
        self._known = Generations()
        self._known_until: datetime | None = None

    async def get(self) -> Generations:
        """The generations in force. Without a pointer document, the first one is read and written."""
        asked_at = self._now()
        if self._known_until is None or asked_at >= self._known_until:
            document = await read_point(self._container, POINTER_ID, POINTER_ID)
            self._known = read_pointer(document) if document else Generations()
            # Counted from before the question: the answer may have been long on its way.
            self._known_until = asked_at + timedelta(seconds=GENERATIONS_CACHE_SECONDS)
        return self._known
