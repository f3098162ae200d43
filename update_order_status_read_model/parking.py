"""Events that can never be applied as they are: kept with the reason, counted, out of the way of all others.

Raising for them would be worse: Event Grid would repeat them for a day and slow down every healthy event on the way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from order_events import format_moment
from update_order_status_read_model.errors import translated_store_errors
from update_order_status_read_model.limits import PARKED_PAGE_ITEMS, PARKED_PAYLOAD_BYTES_MAX

LIST_QUERY = "SELECT * FROM c WHERE c.type = 'parked' ORDER BY c.parkedAt"


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A parked event: as it was delivered, why it could not be applied, how often it has come."""

    parked_id: str
    payload: str
    reason: str
    parked_at: datetime
    deliveries: int
    etag: str


class ParkingLot:
    """The container of parked events. One that comes again is counted, not kept twice."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._container = container
        self._now = now

    async def park(self, payload: str, reason: str) -> str:
        """Keep `payload` with `reason`; the id under which it is kept."""
        parked_id = "parked:" + hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()
        document = {
            "id": parked_id,
            "orderId": parked_id,  # its own partition: what cannot be decoded cannot be trusted to name its order
            "type": "parked",
            "reason": reason,
            "payload": _beginning(payload),
            "parkedAt": format_moment(self._now()),
            "deliveries": 1,
        }
        with translated_store_errors():
            try:
                await self._container.create_item(document)
            except CosmosResourceExistsError:
                again = [{"op": "incr", "path": "/deliveries", "value": 1}]
                await self._container.patch_item(parked_id, parked_id, again)
        return parked_id

    async def list(self) -> AsyncIterator[ParkedEvent]:
        """All that is parked, the longest first."""
        with translated_store_errors():
            async for document in self._container.query_items(LIST_QUERY, max_item_count=PARKED_PAGE_ITEMS):
                yield ParkedEvent(
                    document["id"],
                    document["payload"],
                    document["reason"],
                    datetime.fromisoformat(document["parkedAt"]),
                    document["deliveries"],
                    document["_etag"],
                )

    async def remove(self, parked: ParkedEvent) -> bool:
        """Let go of `parked`. False: it has come again since it was listed, and stays."""
        with translated_store_errors():
            try:
                await self._container.delete_item(
                    parked.parked_id,
                    partition_key=parked.parked_id,
                    etag=parked.etag,
                    match_condition=MatchConditions.IfNotModified,
                )
            except CosmosAccessConditionFailedError:
                return False
            except CosmosResourceNotFoundError:
                return True
        return True


def _beginning(payload: str) -> str:
    """As much of `payload` as a document can hold: all of it, but for the largest events."""
    while len(json.dumps(payload)) > PARKED_PAYLOAD_BYTES_MAX:
        payload = payload[: len(payload) * 3 // 4]
    return payload
