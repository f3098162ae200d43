"""The write container, as its operators need it: every order in turn, one order whole, what retention and erasure take.

Orders come sorted by id, so that they can be held against those of the read side one by one however many there are.
The Python SDK sorts over partitions as it reads and keeps a page of each, but can not take such a query up again;
a walk that broke is begun anew behind the last order it gave.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from order_events import OrderStatusUpdated, UndecodableEvent, read_document
from update_order_status.documents import Document, read_order, tombstone_document
from update_order_status.domain import Order, Tombstone
from update_order_status.errors import Contended, is_missing_item, translated_store_errors
from update_order_status.limits import (
    DELETES_AT_ONCE,
    ERASE_ATTEMPTS_MAX,
    WALK_PAGE_ITEMS,
    WALK_READ_TIMEOUT_SECONDS,
)

WALK_QUERY = "SELECT * FROM c WHERE c.orderId > @after ORDER BY c.orderId"
COUNT_QUERY = "SELECT VALUE COUNT(1) FROM c"
OTHERS_QUERY = "SELECT c.id FROM c WHERE c.id != @order"


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event as it is kept. `touched_at`: when it was last written, which is when it was marked as published."""

    document_id: str
    version: int
    pending: bool
    touched_at: datetime
    event: OrderStatusUpdated | None
    """None when a newer version of this code wrote it."""


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """All that the write side keeps of an order; its events by version."""

    order_id: str
    latest: Order | Tombstone | None
    events: tuple[WrittenEvent, ...]
    documents: int
    unreadable: str | None = None
    """Why some of it cannot be read."""

    @property
    def version(self) -> int:
        """The order's version, 0 when there are only events."""
        return self.latest.version if self.latest else 0


class OrderUpkeep:
    """Reads and removes what the write container holds of whole orders."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container

    async def walk(self, after: str = "") -> AsyncIterator[WrittenOrder]:
        """Every order whose id comes after `after`, sorted by id. A store that fails on the way raises."""
        parameters: list[Document] = [{"name": "@after", "value": after}]
        group: list[Document] = []
        with translated_store_errors():
            async for document in self._container.query_items(
                WALK_QUERY,
                parameters=parameters,
                max_item_count=WALK_PAGE_ITEMS,
                read_timeout=WALK_READ_TIMEOUT_SECONDS,
            ):
                if group and group[0]["orderId"] != document["orderId"]:
                    yield _written(group)
                    group = []
                group.append(document)
        if group:
            yield _written(group)

    async def read(self, order_id: str) -> WrittenOrder | None:
        """One order, or None when nothing is kept of it."""
        with translated_store_errors():
            found = self._container.query_items("SELECT * FROM c", partition_key=order_id)
            documents = [document async for document in found]
        return _written(documents) if documents else None

    async def count_documents(self) -> int:
        """How many documents a walk will read."""
        with translated_store_errors():
            found = self._container.query_items(COUNT_QUERY, read_timeout=WALK_READ_TIMEOUT_SECONDS)
            counts: list[Any] = [count async for count in found]
        return int(counts[0])

    async def erase(
        self, order_id: str, version_min: int, now: datetime, at_version: int | None = None
    ) -> Tombstone | None:
        """Put a tombstone in the order's place, then delete all else of it.

        None: nothing was known of it, or it is not `at_version` any more.

        In this order, so that whatever happens on the way, no command can go on with the order; and whoever runs it
        again finishes it. `version_min` is what others have seen of the order.
        """
        for _ in range(ERASE_ATTEMPTS_MAX):
            document = await self._read(order_id)
            found_version = document["version"] if document else 0
            if not (document or version_min) or at_version not in (None, found_version):
                return None
            version = max(version_min, found_version)
            if document is not None and document["type"] == "tombstone" and document["version"] == version:
                tombstone = read_order(document)
                assert isinstance(tombstone, Tombstone)
            else:
                tombstone = Tombstone(order_id, version, now)
                if not await self._bury(tombstone, document):
                    continue
            await self._delete(order_id, await self._others(order_id))
            return tombstone
        raise Contended(f"order {order_id} changed at {ERASE_ATTEMPTS_MAX} attempts to erase it")

    async def delete_events(self, order_id: str, events: Iterable[WrittenEvent]) -> None:
        """Delete these events of an order. One that is gone already is no failure."""
        await self._delete(order_id, [event.document_id for event in events])

    async def _bury(self, tombstone: Tombstone, document: Document | None) -> bool:
        body = tombstone_document(tombstone)
        with translated_store_errors():
            try:
                if document is None:
                    await self._container.create_item(body)
                else:
                    await self._container.replace_item(
                        tombstone.order_id,
                        body,
                        etag=document["_etag"],
                        match_condition=MatchConditions.IfNotModified,
                    )
            except (CosmosAccessConditionFailedError, CosmosResourceExistsError):
                return False
        return True

    async def _read(self, order_id: str) -> Document | None:
        with translated_store_errors():
            try:
                return await self._container.read_item(order_id, partition_key=order_id)
            except CosmosResourceNotFoundError as failure:
                if not is_missing_item(failure):
                    raise
        return None

    async def _others(self, order_id: str) -> list[str]:
        with translated_store_errors():
            found = self._container.query_items(
                OTHERS_QUERY, parameters=[{"name": "@order", "value": order_id}], partition_key=order_id
            )
            return [document["id"] async for document in found]

    async def _delete(self, order_id: str, document_ids: list[str]) -> None:
        gate = asyncio.Semaphore(DELETES_AT_ONCE)

        async def delete(document_id: str) -> None:
            async with gate:
                with translated_store_errors(), suppress(CosmosResourceNotFoundError):
                    await self._container.delete_item(document_id, partition_key=order_id)

        await _all(delete(document_id) for document_id in document_ids)


def _written(documents: list[Document]) -> WrittenOrder:
    """The order that the documents of one partition are about."""
    order_id = documents[0]["orderId"]
    latest: Order | Tombstone | None = None
    unreadable: str | None = None
    events = []
    for document in documents:
        try:
            if document["type"] == "event":
                events.append(_event(document))
                unreadable = unreadable or (None if events[-1].event else "an event has a version unknown here")
            elif document["id"] == order_id:
                latest = read_order(document)
        except UndecodableEvent as failure:
            unreadable = str(failure)
    events.sort(key=lambda event: event.version)
    return WrittenOrder(order_id, latest, tuple(events), len(documents), unreadable)


def _event(document: dict[str, Any]) -> WrittenEvent:
    try:
        event = read_document(document)
    except UndecodableEvent:
        event = None
    touched_at = datetime.fromtimestamp(document["_ts"], UTC)
    return WrittenEvent(document["id"], document["version"], "pending" in document, touched_at, event)


async def _all(works: Iterable[Awaitable[None]]) -> None:
    """Await all `works`; then the first failure flies, as it is, since callers wait and try again by its kind."""
    for ended in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
