"""Reads the write container directly, through the official SDK: what demo and replay hold against the read side.

By key or, where the settings hold none, by identity: as the app and `python -m operations` do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

PAGE_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """An order as the write side holds it, with its events by version."""

    order_id: str
    status: str
    version: int
    events: tuple[Mapping[str, Any], ...]


async def read_write_side(settings: Mapping[str, str]) -> list[WrittenOrder]:
    """Every order in the write container, in no particular order."""
    orders: dict[str, Mapping[str, Any]] = {}
    events: dict[str, list[Mapping[str, Any]]] = {}
    async with _client(settings) as client:
        database = client.get_database_client(settings["OrdersDatabase"])
        container = database.get_container_client(settings["OrdersWriteContainer"])
        async for document in container.query_items("SELECT * FROM c", max_item_count=PAGE_ITEMS):
            if document["type"] == "order":
                orders[document["id"]] = document
            elif document["type"] == "event":
                events.setdefault(document["orderId"], []).append(document)
    return [
        WrittenOrder(
            order_id,
            order["status"],
            order["version"],
            tuple(sorted(events.get(order_id, []), key=lambda event: int(event["version"]))),
        )
        for order_id, order in orders.items()
    ]


@asynccontextmanager
async def _client(settings: Mapping[str, str]) -> AsyncIterator[Any]:
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.cosmos.aio import CosmosClient

    transport = AioHttpTransport(use_env_settings=False)
    async with AsyncExitStack() as stack:
        if connection := settings.get("CosmosDBConnection"):
            client = CosmosClient.from_connection_string(connection, transport=transport)
        else:
            from azure.identity.aio import DefaultAzureCredential

            credential = await stack.enter_async_context(DefaultAzureCredential())
            client = CosmosClient(settings["CosmosDBConnection__accountEndpoint"], credential, transport=transport)
        yield await stack.enter_async_context(client)
