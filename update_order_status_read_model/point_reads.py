"""One item by its id: the cheapest question Cosmos DB answers."""

from __future__ import annotations

from typing import Any

from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from update_order_status_read_model.errors import is_missing_item, translated_store_errors


async def read_point(container: ContainerProxy, document_id: str, partition_key: str) -> dict[str, Any] | None:
    """The document, or None when the container holds no such one."""
    with translated_store_errors():
        try:
            return await container.read_item(document_id, partition_key=partition_key)
        except CosmosResourceNotFoundError as failure:
            if not is_missing_item(failure):
                raise
    return None
