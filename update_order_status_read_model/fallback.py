"""Read-your-writes when the projection is late: the order as the write container has it.

The only place where the read side looks at the write side's store, and it relies on one thing alone: the document
whose id is the order's tells of the order's latest event, in the published language, or is the tombstone of an erased
order.
"""

from __future__ import annotations

from datetime import datetime

from azure.cosmos.aio import ContainerProxy

from order_events import read_document
from update_order_status_read_model.point_reads import read_point
from update_order_status_read_model.projector import OrderView, project


class WriteSideFallback:
    """Reads single orders from the write container."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container

    async def get(self, order_id: str) -> OrderView | None:
        """The order's view or tombstone, made on the spot, or None when it has never been seen."""
        document = await read_point(self._container, order_id, order_id)
        if document is None:
            return None
        if document["type"] == "tombstone":
            erased_at = datetime.fromisoformat(document["erasedAt"])
            return OrderView(order_id, None, None, document["version"], erased_at, erased=True)
        return project(None, read_document(document))
