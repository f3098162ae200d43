"""Sends committed events to Event Grid and has them marked. Failing is ordinary here: whatever stays unmarked, the
relay sends again, so consumers see every event at least once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from azure.core.exceptions import AzureError
from azure.eventgrid.aio import EventGridPublisherClient

from order_events import OrderStatusUpdated
from order_telemetry import EventLog, SpanKind, Telemetry
from order_telemetry.signals import DEFERRED, PUBLISH_SPAN, PUBLISHED
from update_order_status.errors import StoreThrottled, StoreUnavailable
from update_order_status.gathering import Gathering
from update_order_status.limits import (
    BATCH_OPERATIONS_MAX,
    EVENT_GRID_REQUEST_BYTES_MAX,
    GATHER_SECONDS_MAX,
    MARKS_AT_ONCE,
)
from update_order_status.repository import OrderRepository

log = EventLog(__name__)

Sender = Literal["request", "relay", "redrive"]
Envelope = Callable[[OrderStatusUpdated], dict[str, Any]]


class Publisher:
    """Publishes events in the schema that `envelope` writes; each sending and each mark has `budget_seconds`."""

    def __init__(
        self,
        client: EventGridPublisherClient,
        orders: OrderRepository,
        envelope: Envelope,
        budget_seconds: float,
        telemetry: Telemetry,
    ) -> None:
        self._client = client
        self._requests = Gathering(
            self._post, bytes_max=EVENT_GRID_REQUEST_BYTES_MAX, wait_seconds_max=GATHER_SECONDS_MAX
        )
        self._orders = orders
        self._envelope = envelope
        self._budget_seconds = budget_seconds
        self._telemetry = telemetry

    async def publish(self, events: Sequence[OrderStatusUpdated], by: Sender = "request") -> frozenset[str]:
        """Send and mark `events`; the ids of those that Event Grid has accepted."""
        accepted = await self.send(events, by)
        await self._mark(accepted)
        return frozenset(event.event_id for event in accepted)

    async def send(self, events: Sequence[OrderStatusUpdated], by: Sender) -> list[OrderStatusUpdated]:
        """Send `events`; those that Event Grid has accepted, which are the first ones."""
        accepted: list[OrderStatusUpdated] = []
        for chunk, envelopes, size in self._chunks(events):
            with self._spans(chunk, by):
                if not await self._send(envelopes, size):
                    break
            accepted += chunk
        self._telemetry.add(PUBLISHED, len(accepted), {"by": by})
        self._telemetry.add(DEFERRED, len(events) - len(accepted))
        return accepted

    async def _send(self, envelopes: list[dict[str, Any]], size: int) -> bool:
        try:
            async with asyncio.timeout(self._budget_seconds):
                await self._requests.send(envelopes, size)
        except (AzureError, TimeoutError) as failure:
            log.warning("publishing deferred", events=len(envelopes), reason=_first_line(failure))
            return False
        return True

    async def _post(self, envelopes: list[dict[str, Any]]) -> None:
        """One request, ended by its own budget: whoever waits for it may have stopped waiting before."""
        async with asyncio.timeout(self._budget_seconds):
            await self._client.send(envelopes)

    def _spans(self, events: Sequence[OrderStatusUpdated], by: Sender) -> ExitStack:
        """A span for each event in its own trace: one request may carry events of many, and the relay's is none."""
        spans = ExitStack()
        if self._telemetry.recording:
            for event in events:
                about = {"orders.order_id": event.order_id, "messaging.message.id": event.event_id, "orders.by": by}
                parent = event.traceparent
                span = self._telemetry.span(PUBLISH_SPAN, SpanKind.PRODUCER, about, parent=parent, current=False)
                spans.enter_context(span)
        return spans

    async def _mark(self, events: Sequence[OrderStatusUpdated]) -> None:
        gate = asyncio.Semaphore(MARKS_AT_ONCE)

        by_order: dict[str, list[OrderStatusUpdated]] = {}
        for event in events:
            by_order.setdefault(event.order_id, []).append(event)

        async def mark(together: Sequence[OrderStatusUpdated]) -> None:
            async with gate:
                try:
                    async with asyncio.timeout(self._budget_seconds):
                        await self._orders.mark_published(together)
                except (StoreThrottled, StoreUnavailable, AzureError, TimeoutError) as failure:
                    # Whatever the reason, the command has taken effect and must not fail now. The events stay
                    # pending: the relay will publish them a second time, which the projection tolerates.
                    ids = ",".join(event.event_id for event in together)
                    log.warning("marking deferred", event_ids=ids, reason=_first_line(failure))

        await asyncio.gather(
            *(
                mark(of_one[start : start + BATCH_OPERATIONS_MAX])
                for of_one in by_order.values()
                for start in range(0, len(of_one), BATCH_OPERATIONS_MAX)
            )
        )

    def _chunks(
        self, events: Sequence[OrderStatusUpdated]
    ) -> Iterator[tuple[list[OrderStatusUpdated], list[dict[str, Any]], int]]:
        """Events, their envelopes and how many bytes these are, as many at a time as one request may have."""
        chunk: list[OrderStatusUpdated] = []
        envelopes: list[dict[str, Any]] = []
        size = 0
        for event in events:
            envelope = self._envelope(event)
            bytes_more = len(json.dumps(envelope)) + 2
            if chunk and size + bytes_more > EVENT_GRID_REQUEST_BYTES_MAX:
                yield chunk, envelopes, size
                chunk, envelopes, size = [], [], 0
            chunk.append(event)
            envelopes.append(envelope)
            size += bytes_more
        if chunk:
            yield chunk, envelopes, size


def _first_line(failure: BaseException) -> str:
    return (str(failure) or type(failure).__name__).partition("\n")[0]
