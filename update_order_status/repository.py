"""The write container, as commands and the relay need it. `documents` says what it holds."""

from __future__ import annotations

from collections.abc import Sequence
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

from order_events import OrderStatusUpdated, UndecodableEvent, format_moment, read_document
from update_order_status.documents import Document, event_document, order_document, read_order, receipt_document
from update_order_status.domain import Order, Tombstone, UpdateOrderStatus, event_id, evolve
from update_order_status.errors import StoreUnavailable, is_missing_item, translated_store_errors
from update_order_status.limits import PENDING_UNREADABLE_MAX

CREATE_EVENT, WRITE_ORDER = 0, 1
"""Positions in the batch. The event first: else a repeated command would look like a lost race and be retried."""

PENDING_QUERY = "SELECT * FROM c WHERE c.pending < @before ORDER BY c.pending"
MARK = [{"op": "remove", "path": "/pending"}]
IF_STILL_PENDING = "FROM c WHERE IS_DEFINED(c.pending)"


@dataclass(frozen=True, slots=True)
class Stored:
    """An order, or its tombstone, and the ETag under which it may be replaced."""

    order: Order | Tombstone
    etag: str


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """What an earlier sending of a command did: the order as it left it, and its event unless nothing changed."""

    order: Order
    event: OrderStatusUpdated | None
    pending: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """Events that wait to be published, and how many more do that this code cannot read."""

    events: list[OrderStatusUpdated]
    unreadable: int


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
        return Stored(read_order(document), document["_etag"])

    async def commit(self, event: OrderStatusUpdated, replacing: Stored | None) -> Commit:
        """Write `event` and the order it leads to, both or neither, unless the order is no longer `replacing`."""
        order = order_document(event)
        write_order: tuple[Any, ...]
        if replacing is None:
            write_order = ("create", (order,))
        else:
            write_order = ("replace", (event.order_id, order), {"if_match_etag": replacing.etag})
        # Built anew for each attempt: azure-cosmos takes the ETag out of the caller's own list while formatting it,
        # so a second use of the same list would replace blindly.
        batch = [("create", (event_document(event),)), write_order]
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
                await self._container.create_item(receipt_document(answered))
            except CosmosResourceExistsError:
                return False
        return True

    async def list_pending(self, before: datetime, count_max: int) -> Pending:
        """Up to `count_max` events that have waited to be published since before `before`, oldest first.

        What this code cannot read (a newer version of it wrote that, and was taken back) is passed over and counted:
        it waits for code that can, and must not keep the others waiting.
        """
        parameters: list[Document] = [{"name": "@before", "value": format_moment(before)}]
        events: list[OrderStatusUpdated] = []
        unreadable = 0
        with translated_store_errors():
            async for document in self._container.query_items(
                PENDING_QUERY, parameters=parameters, max_item_count=count_max
            ):
                try:
                    events.append(read_document(document))
                except UndecodableEvent:
                    unreadable += 1
                if len(events) == count_max or unreadable == PENDING_UNREADABLE_MAX:
                    break
        return Pending(events, unreadable)

    async def mark_published(self, events: Sequence[OrderStatusUpdated]) -> None:
        """Note that these events of one order need no publishing any more: in one call, unless another has noted it
        of one of them already. Marking twice is harmless, and so is an event that is erased."""
        if len(events) > 1 and await self._mark_together(events):
            return
        for event in events:
            with translated_store_errors():
                try:
                    await self._container.patch_item(
                        event.event_id, event.order_id, MARK, filter_predicate=IF_STILL_PENDING
                    )
                except CosmosAccessConditionFailedError:
                    pass  # the request and the relay may both have published it; then the other was first to mark it
                except CosmosResourceNotFoundError as failure:
                    if not is_missing_item(failure):
                        raise

    async def _mark_together(self, events: Sequence[OrderStatusUpdated]) -> bool:
        """Mark all or none. False: not all of them are there and pending."""
        batch = [("patch", (event.event_id, MARK), {"filter_predicate": IF_STILL_PENDING}) for event in events]
        try:
            with translated_store_errors():
                await self._container.execute_item_batch(batch, partition_key=events[0].order_id)
        except CosmosBatchOperationError:
            return False
        return True


def _read_refusal(failure: CosmosBatchOperationError) -> Commit:
    match failure.error_index, failure.status_code:
        case (0, 409):
            return Commit.REPEATED
        case (1, 404 | 409 | 412):
            return Commit.LOST_RACE
    raise failure
