"""Read-your-writes when the projection is late: the order as the write container has it.

The only place where the read side looks at the write side's store, and it relies on one thing alone: the document
whose id is the order's holds the data of the order's latest event, in the published language.
"""

from __future__ import annotations

from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from order_events import read_data
from update_order_status_read_model.errors import translated_store_errors
from update_order_status_read_model.projector import OrderView, project


class WriteSideFallback:
    """Reads single orders from the write container."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container

    async def get(self, order_id: str) -> OrderView | None:
        """The order's view, made on the spot, or None when it has never been seen."""
        with translated_store_errors():
            try:
                document = await self._container.read_item(order_id, partition_key=order_id)
            except CosmosResourceNotFoundError:
                return None
        return project(None, read_data(document["eventId"], document["dataVersion"], document))
