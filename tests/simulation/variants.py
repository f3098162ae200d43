"""The service with one known mistake at a time (spec: CQRS on Cosmos DB, the traps). The exploration must find each:
a net through which these slip would prove nothing about the service itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azure.cosmos.exceptions import CosmosBatchOperationError

from order_events import OrderStatusUpdated
from order_telemetry import SILENT
from tests.simulation.history import GOOD_MANNERS, Manners
from tests.simulation.world import Build, Sides
from update_order_status import limits
from update_order_status.documents import event_document, order_document
from update_order_status.errors import StoreUnavailable, translated_store_errors
from update_order_status.handler import CommandHandler
from update_order_status.publisher import Publisher, Sender
from update_order_status.relay import Relay
from update_order_status.repository import Commit, OrderRepository, Stored, _read_refusal
from update_order_status_read_model.documents import history_document, view_document
from update_order_status_read_model.projector import HistoryEntry, OrderView
from update_order_status_read_model.store import Stored as StoredView
from update_order_status_read_model.store import ViewStore


@dataclass(frozen=True, slots=True)
class Variant:
    """One mistake: in the service, or in how it is called and operated."""

    says: str
    build: Build = lambda sides: sides
    manners: Manners = GOOD_MANNERS


class UnconditionalStore(ViewStore):
    """Compares versions, and then writes without asking whether the view is still the one it compared with."""

    async def advance(self, view: OrderView, entries: Sequence[HistoryEntry]) -> bool:
        """Never: the store is not asked to compare."""
        return False

    async def save(self, view: OrderView, entries: Sequence[HistoryEntry], replacing: StoredView | None) -> bool:
        """Write without a condition."""
        with translated_store_errors():
            for entry in entries:
                await self._container.upsert_item(history_document(entry))
            await self._container.upsert_item(view_document(view, self._now()))
        return True


class BlindStore(UnconditionalStore):
    """Upserts whatever event comes, as the source article's projection does."""

    async def get(self, order_id: str) -> StoredView | None:
        """Forget that there is a view: then every event is newer."""
        return None


class BatchKeptRepository(OrderRepository):
    """Sends the same batch list again when the outcome is unknown; azure-cosmos has taken the ETag out by then."""

    async def commit(self, event: OrderStatusUpdated, replacing: Stored | None) -> Commit:
        """Commit, with a second attempt of its own."""
        order = order_document(event)
        step: tuple[Any, ...] = ("create", (order,))
        if replacing is not None:
            step = ("replace", (event.order_id, order), {"if_match_etag": replacing.etag})
        batch = [("create", (event_document(event),)), step]
        for _ in range(2):
            try:
                with translated_store_errors():
                    await self._container.execute_item_batch(batch, partition_key=event.order_id)
            except StoreUnavailable:
                continue
            except CosmosBatchOperationError as failure:
                return _read_refusal(failure)
            return Commit.DONE
        return Commit.UNKNOWN


class CheckpointingPublisher(Publisher):
    """Notes that it is past an event before it knows that the event was accepted: what a change feed trigger does with
    a batch whose function failed."""

    async def publish(self, events: Sequence[OrderStatusUpdated], by: Sender = "request") -> frozenset[str]:
        """Mark, then send once."""
        await self._mark(events)
        for _, envelopes, size in self._chunks(events):
            await self._send(envelopes, size)
        return frozenset(event.event_id for event in events)


def _with_store(kind: type[ViewStore]) -> Build:
    def build(sides: Sides) -> Sides:
        stores = {number: kind(each._container, each._now) for number, each in sides.read.projection.stores.items()}
        return Sides(sides.write, replace(sides.read, projection=replace(sides.read.projection, stores=stores)))

    return build


def _keep_batches(sides: Sides) -> Sides:
    handler = sides.write.handler
    orders = BatchKeptRepository(sides.write.orders._container)
    careless = CommandHandler(orders, handler._now, handler._pause, handler._attempts_max, SILENT)
    return Sides(replace(sides.write, handler=careless), sides.read)


def _checkpoint(sides: Sides) -> Sides:
    known = sides.write.publisher
    publisher = CheckpointingPublisher(known._client, known._orders, known._envelope, known._budget_seconds, SILENT)
    relay = Relay(
        sides.write.orders,
        publisher,
        sides.write.relay._now,
        limits.RELAY_GRACE_SECONDS,
        limits.RELAY_EVENTS_MAX,
        SILENT,
    )
    return Sides(replace(sides.write, publisher=publisher, relay=relay), sides.read)


VARIANTS: Mapping[str, Variant] = {
    "no-relay": Variant("what could not be published is left", manners=Manners(relay=False)),
    "blind-upsert": Variant("the projection writes whatever comes", _with_store(BlindStore)),
    "no-etag": Variant("the projection compares versions and writes without an ETag", _with_store(UnconditionalStore)),
    "no-command-id": Variant("a caller's second sending is a new command", manners=Manners(same_key=False)),
    "change-feed-relay": Variant("the relay's checkpoint passes a failed batch", _checkpoint),
    "batch-kept": Variant("a batch is sent again from the same list", _keep_batches),
}
"""By name."""
