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

from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosAccessConditionFailedError, CosmosResourceExistsError

from update_order_status_read_model.errors import translated_store_errors
from update_order_status_read_model.point_reads import read_point

POINTER_ID = ":generations"
"""Its id and its partition, in the container of parked events; no order id has a colon."""


@dataclass(frozen=True, slots=True)
class Generations:
    """Which generation queries read, and which projections write."""

    read: int = 1
    written: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pointer said, and the ETag under which it may be changed (None: there is no pointer document yet)."""

    generations: Generations
    etag: str | None


def read_pointer(document: Mapping[str, Any]) -> Generations:
    """What the pointer document says."""
    return Generations(document["read"], tuple(document["written"]))


class GenerationPointer:
    """Knows the pointer, and looks again after `cache_seconds`."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime], cache_seconds: float) -> None:
        self._container = container
        self._now = now
        self._cache = timedelta(seconds=cache_seconds)
        self._known = Generations()
        self._known_until: datetime | None = None

    async def get(self) -> Generations:
        """The generations in force. Without a pointer document, the first one is read and written."""
        asked_at = self._now()
        if self._known_until is None or asked_at >= self._known_until:
            self._known = (await self.look()).generations
            # Counted from before the question: the answer may have been long on its way.
            self._known_until = asked_at + self._cache
        return self._known

    async def look(self) -> Seen:
        """The generations in force, by the pointer itself."""
        document = await read_point(self._container, POINTER_ID, POINTER_ID)
        return Seen(read_pointer(document), document["_etag"]) if document else Seen(Generations(), None)

    async def point(self, generations: Generations, seen: Seen) -> bool:
        """Put `generations` in force. False: the pointer is no longer as it was seen, and stays as it is."""
        document = {
            "id": POINTER_ID,
            "orderId": POINTER_ID,
            "type": "generations",
            "read": generations.read,
            "written": list(generations.written),
        }
        with translated_store_errors():
            try:
                if seen.etag is None:
                    await self._container.create_item(document)
                else:
                    await self._container.replace_item(
                        POINTER_ID, document, etag=seen.etag, match_condition=MatchConditions.IfNotModified
                    )
            except (CosmosResourceExistsError, CosmosAccessConditionFailedError):
                return False
        return True
