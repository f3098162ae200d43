"""Read-your-writes when the projection is late: the order as its latest event in the write container tells it.

The only place where the read side looks at the write side's store, and only at what both sides share, the events.
"""

from __future__ import annotations

from azure.cosmos.aio import ContainerProxy

from order_events import read_data
from update_order_status_read_model.errors import translated_store_errors
from update_order_status_read_model.projector import OrderView, project

LATEST_EVENT_QUERY = "SELECT TOP 1 * FROM c WHERE c.type = 'event' ORDER BY c.version DESC"


class WriteSideFallback:
    """Reads single orders from the write container."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container

    async def get(self, order_id: str) -> OrderView | None:
        """The order's view, made on the spot, or None when it has no event."""
        with translated_store_errors():
            found = self._container.query_items(LATEST_EVENT_QUERY, partition_key=order_id, max_item_count=1)
            documents = [document async for document in found]
        if not documents:
            return None
        (document,) = documents
        return project(None, read_data(document["id"], document["dataVersion"], document))
