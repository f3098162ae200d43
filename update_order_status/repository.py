"""The write container: orders, their events and the records of commands. The only room that knows its documents.

One partition holds one order: the document of the order itself (`id` = the order's id) and one document for each
command that took effect (`id` from the command): its event, or a receipt when it changed nothing. All of them hold
the data of an event, since that is an order's whole state, and so stay readable through `order_events`.

An event that is not yet published has `pending`, the moment it was made, so the index on it holds the backlog alone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosBatchOperationError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from order_events import EVENT_TYPE, OrderStatusUpdated, format_moment, read_document, to_document
from update_order_status.domain import Order, UpdateOrderStatus, event_id, evolve
from update_order_status.errors import StoreUnavailable, is_missing_item, translated_store_errors

CREATE_EVENT, WRITE_ORDER = 0, 1
"""Positions in the batch. The event first: else a repeated command would look like a lost race and be retried."""

PENDING_QUERY = "SELECT TOP @count * FROM c WHERE c.pending < @before ORDER BY c.pending"
IF_STILL_PENDING = "FROM c WHERE IS_DEFINED(c.pending)"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """An order and the ETag under which it may be replaced."""

    order: Order
    etag: str


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """What an earlier sending of a command did: the order as it left it, and its event unless nothing changed."""

    order: Order
    event: OrderStatusUpdated | None
    pending: bool


class Commit(Enum):
    """How a commit ended."""

    DONE = auto()
    REPEATED = auto()
    """This command has taken effect before; nothing was written."""
    LOST_RACE = auto()
    """The order has changed since it was loaded; nothing was written."""
    UNKNOWN = auto()
    """No answer. It may have been done; the command's record will tell."""


class OrderRepository:
    """Loads and commits orders; keeps the events that wait to be published."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container

    async def load(self, order_id: str) -> Stored | None:
        """The order, or None when it was never seen."""
        document = await self._read(order_id, order_id)
        if document is None:
            return None
        return Stored(evolve(read_document(document)), document["_etag"])

    async def commit(self, event: OrderStatusUpdated, replacing: Stored | None) -> Commit:
        """Write `event` and the order it leads to, both or neither, unless the order is no longer `replacing`."""
        order = _document("order", event.order_id, event)
        write_order: tuple[Any, ...]
        if replacing is None:
            write_order = ("create", (order,))
        else:
            write_order = ("replace", (event.order_id, order), {"if_match_etag": replacing.etag})
        # Built anew for each attempt: azure-cosmos takes the ETag out of the caller's own list while formatting it,
        # so a second use of the same list would replace blindly.
        pending = {"eventType": EVENT_TYPE, "pending": format_moment(event.occurred_at)}
        batch = [("create", ({**_document("event", event.event_id, event), **pending},)), write_order]
        try:
            with translated_store_errors():
                await self._container.execute_item_batch(batch, partition_key=event.order_id)
        except StoreUnavailable:
            return Commit.UNKNOWN
        except CosmosBatchOperationError as failure:
            return _read_refusal(failure)
        return Commit.DONE

    async def find_record(self, command: UpdateOrderStatus) -> CommandRecord | None:
        """What an earlier sending of `command` did, if there was one that took effect."""
        document = await self._read(event_id(command.order_id, command.command_id), command.order_id)
        if document is None:
            return None
        event = read_document(document)
        if document["type"] == "receipt":
            return CommandRecord(evolve(event), None, pending=False)
        return CommandRecord(evolve(event), event, pending="pending" in document)

    async def _read(self, document_id: str, order_id: str) -> Document | None:
        with translated_store_errors():
            try:
                return await self._container.read_item(document_id, partition_key=order_id)
            except CosmosResourceNotFoundError as failure:
                if not is_missing_item(failure):
                    raise
        return None

    async def record_unchanged(self, command: UpdateOrderStatus, order: Order) -> bool:
        """Keep what `command` was answered although it changed nothing. False: it has a record already."""
        answered = OrderStatusUpdated(
            event_id=event_id(command.order_id, command.command_id),
            order_id=order.order_id,
            status=order.status,
            previous_status=order.previous_status,
            version=order.version,
            occurred_at=order.updated_at,
            command_id=command.command_id,
        )
        with translated_store_errors():
            try:
                await self._container.create_item(_document("receipt", answered.event_id, answered))
            except CosmosResourceExistsError:
                return False
        return True

    async def list_pending(self, before: datetime, count_max: int) -> list[OrderStatusUpdated]:
        """Events that have waited to be published since before `before`, oldest first."""
        parameters: list[Document] = [
            {"name": "@count", "value": count_max},
            {"name": "@before", "value": format_moment(before)},
        ]
        with translated_store_errors():
            found = self._container.query_items(PENDING_QUERY, parameters=parameters, max_item_count=count_max)
            return [read_document(document) async for document in found]

    async def mark_published(self, event: OrderStatusUpdated) -> None:
        """Note that `event` needs no publishing any more. Marking twice is harmless."""
        remove = [{"op": "remove", "path": "/pending"}]
        # The request and the relay may both have published it; then the other was first to mark it.
        with translated_store_errors(), suppress(CosmosAccessConditionFailedError):
            await self._container.patch_item(event.event_id, event.order_id, remove, filter_predicate=IF_STILL_PENDING)


def _read_refusal(failure: CosmosBatchOperationError) -> Commit:
    match failure.error_index, failure.status_code:
        case (0, 409):
            return Commit.REPEATED
        case (1, 404 | 409 | 412):
            return Commit.LOST_RACE
    raise failure


def _document(kind: str, document_id: str, event: OrderStatusUpdated) -> Document:
    return {"id": document_id, "type": kind, **to_document(event)}
