"""Reads the write container directly, through the official SDK: what demo and replay hold against the read side."""

from __future__ import annotations

from collections.abc import Mapping
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
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.cosmos.aio import CosmosClient

    connection = dict(part.split("=", 1) for part in settings["CosmosDBConnection"].split(";") if part)
    transport = AioHttpTransport(use_env_settings=False)
    orders: dict[str, Mapping[str, Any]] = {}
    events: dict[str, list[Mapping[str, Any]]] = {}
    async with CosmosClient(connection["AccountEndpoint"], connection["AccountKey"], transport=transport) as client:
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
