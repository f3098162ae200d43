"""One generation of the read container, as its operators need it: every order in turn, erasure, emptying.

Orders come sorted by id; the write side's upkeep says why they are read this way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosResourceNotFoundError

from update_order_status_read_model.documents import Document, history_id, read_view
from update_order_status_read_model.errors import Contended, translated_store_errors
from update_order_status_read_model.limits import (
    BATCH_OPERATIONS_MAX,
    DELETES_AT_ONCE,
    EMPTY_PAGE_ITEMS,
    ERASE_ATTEMPTS_MAX,
    WALK_PAGE_ITEMS,
    WALK_READ_TIMEOUT_SECONDS,
)
from update_order_status_read_model.projector import OrderView
from update_order_status_read_model.store import ViewStore

FIELDS = "c.id, c.orderId, c.type, c.version, c.status, c.previousStatus, c.updatedAt"
WALK_QUERY = f"SELECT {FIELDS} FROM c WHERE c.orderId > @after ORDER BY c.orderId"  # noqa: S608 - only constants
READ_QUERY = f"SELECT {FIELDS} FROM c"  # noqa: S608 - only constants
COUNT_QUERY = "SELECT VALUE COUNT(1) FROM c"
OTHERS_QUERY = "SELECT c.id FROM c WHERE c.id != @order"
SOME_QUERY = "SELECT TOP @count c.id, c.orderId, c._etag FROM c"


@dataclass(frozen=True, slots=True)
class ViewedOrder:
    """All that a generation keeps of an order: its view or tombstone, and which versions its history tells of."""

    order_id: str
    view: OrderView | None
    steps: frozenset[int]
    documents: int


class GenerationUpkeep:
    """Reads and removes what a generation holds of whole orders."""

    def __init__(self, container: ContainerProxy, store: ViewStore) -> None:
        self._container = container
        self._store = store

    async def walk(self, after: str = "") -> AsyncIterator[ViewedOrder]:
        """Every order whose id comes after `after`, sorted by id. A store that fails on the way raises."""
        parameters: list[dict[str, Any]] = [{"name": "@after", "value": after}]
        group: list[Document] = []
        with translated_store_errors():
            async for document in self._container.query_items(
                WALK_QUERY,
                parameters=parameters,
                max_item_count=WALK_PAGE_ITEMS,
                read_timeout=WALK_READ_TIMEOUT_SECONDS,
            ):
                if group and group[0]["orderId"] != document["orderId"]:
                    yield _viewed(group)
                    group = []
                group.append(document)
        if group:
            yield _viewed(group)

    async def read(self, order_id: str) -> ViewedOrder | None:
        """One order, or None when nothing is kept of it."""
        documents = await self._query(READ_QUERY, [], partition_key=order_id)
        return _viewed(documents) if documents else None

    async def count_documents(self) -> int:
        """How many documents a walk will read."""
        (count,) = await self._query(COUNT_QUERY, [], read_timeout=WALK_READ_TIMEOUT_SECONDS)
        return int(count)

    async def erase(self, order_id: str, version: int, erased_at: datetime) -> None:
        """Put a tombstone in the view's place, then delete the history. Again, it finishes what was begun.

        The tombstone first: from then on no event that is still on its way writes anything.
        """
        for _ in range(ERASE_ATTEMPTS_MAX):
            stored = await self._store.get(order_id)
            if stored is None or not stored.view.erased:
                version = max(version, stored.view.version if stored else 0)
                tombstone = OrderView(order_id, None, None, version, erased_at, erased=True)
                if not await self._store.save(tombstone, (), stored):
                    continue
            others = await self._query(OTHERS_QUERY, [{"name": "@order", "value": order_id}], partition_key=order_id)
            await self._delete(order_id, (document["id"] for document in others))
            return
        raise Contended(f"order {order_id} changed at {ERASE_ATTEMPTS_MAX} attempts to erase it")

    async def delete_steps(self, order_id: str, versions: Iterable[int]) -> None:
        """Delete these steps of an order's history. One that is gone already is no failure."""
        await self._delete(order_id, (history_id(version) for version in versions))

    async def empty_some(self) -> int:
        """Delete some of whatever is there, as it is now; how many documents there were. 0: the generation is empty.

        Each under its ETag: whoever is late with this cannot take away what was written since.
        """
        parameters = [{"name": "@count", "value": EMPTY_PAGE_ITEMS}]
        found = await self._query(SOME_QUERY, parameters, read_timeout=WALK_READ_TIMEOUT_SECONDS)
        orders: dict[str, list[Document]] = {}
        for document in found:
            orders.setdefault(document["orderId"], []).append(document)
        batches = [
            (order_id, documents[start : start + BATCH_OPERATIONS_MAX])
            for order_id, documents in orders.items()
            for start in range(0, len(documents), BATCH_OPERATIONS_MAX)
        ]
        gate = asyncio.Semaphore(DELETES_AT_ONCE)

        async def delete(order_id: str, documents: list[Document]) -> None:
            batch: list[Any] = [("delete", (each["id"],), {"if_match_etag": each["_etag"]}) for each in documents]
            async with gate:
                with translated_store_errors(), suppress(CosmosBatchOperationError):  # it is met again, or is gone
                    await self._container.execute_item_batch(batch, partition_key=order_id)

        await _all(delete(order_id, documents) for order_id, documents in batches)
        return len(found)

    async def _delete(self, order_id: str, document_ids: Iterable[str]) -> None:
        gate = asyncio.Semaphore(DELETES_AT_ONCE)

        async def delete(document_id: str) -> None:
            async with gate:
                with translated_store_errors(), suppress(CosmosResourceNotFoundError):
                    await self._container.delete_item(document_id, partition_key=order_id)

        await _all(delete(document_id) for document_id in document_ids)

    async def _query(self, query: str, parameters: list[dict[str, Any]], **options: Any) -> list[Any]:
        with translated_store_errors():
            return [found async for found in self._container.query_items(query, parameters=parameters, **options)]


def _viewed(documents: list[Document]) -> ViewedOrder:
    """The order that the documents of one partition are about."""
    order_id = documents[0]["orderId"]
    views = [read_view(document) for document in documents if document["id"] == order_id]
    steps = frozenset(document["version"] for document in documents if document["type"] == "history")
    return ViewedOrder(order_id, views[0] if views else None, steps, len(documents))


async def _all(works: Iterable[Awaitable[None]]) -> None:
    """Await all `works`; then the first failure flies, as it is, since callers wait and try again by its kind."""
    for ended in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
