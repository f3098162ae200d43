"""How an event gets to each kind of destination: a request to a webhook or function, a message in a queue or topic.

It makes what is sent and reads the answer; when to send, and what follows from the answer, is the lane's.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from emulators.eventgrid.attributes import headers_of, may_be_sent
from emulators.eventgrid.conversion import DeliverySchema, Stored, convert, one, payload
from emulators.eventgrid.destinations import StorageQueue
from emulators.eventgrid.handshake import ORIGIN
from emulators.eventgrid.schemas import Event, Schema
from emulators.eventgrid.storage import QueueWriter, StorageUnavailable
from emulators.eventgrid.subscriptions import Subscription
from emulators.eventgrid.transport import Incoming, Outgoing, Transport

Forward: TypeAlias = Callable[[str, Event], Awaitable[bool]]
"""Puts an event into the namespace topic of an ARM id; False when there is none."""


class Couriers:
    """Delivers to any destination."""

    def __init__(self, transport: Transport, queues: QueueWriter, forward: Forward) -> None:
        self._transport = transport
        self._queues = queues
        self._forward = forward

    async def deliver(self, subscription: Subscription, events: Sequence[Stored], *, delivery_count: int) -> Incoming:
        """Bring `events` in one request; never raises for what the destination does."""
        destination, schema = subscription.settings.destination, subscription.settings.schema
        if destination.queue is not None:
            return await self._enqueue(destination.queue, message(events[0], schema))
        if destination.namespace_topic:
            document = convert(events[0], schema)
            known = await self._forward(
                destination.namespace_topic, Event(Schema.CLOUD_EVENT, document["id"], document)
            )
            return Incoming(200 if known else 404)
        return await self._transport.send(outgoing(subscription, events, delivery_count=delivery_count))

    async def _enqueue(self, queue: StorageQueue, text: str) -> Incoming:
        try:
            answer = await self._queues.enqueue(queue.name, text, queue.live_seconds)
        except StorageUnavailable as failure:
            return Incoming(None, str(failure).encode(), outcome="SocketError")
        return Incoming(answer.status, answer.reason.encode())


def message(event: Stored, schema: DeliverySchema) -> str:
    """A storage queue's message: one event, not an array, in base64."""
    return base64.b64encode(one(event, schema)).decode()


def outgoing(subscription: Subscription, events: Sequence[Stored], *, delivery_count: int) -> Outgoing:
    """The request that delivers `events` to a webhook."""
    settings = subscription.settings
    content = payload(events, settings.schema, batched=settings.destination.batched)
    headers = headers_of(settings.destination.attributes, events[0].document) if settings.destination.attributes else {}
    headers |= {
        "Content-Type": content.content_type,
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(delivery_count),
        "aeg-data-version": content.data_version if may_be_sent(content.data_version) else "",
        "aeg-metadata-version": "1",
    }
    if settings.schema is DeliverySchema.CLOUD_EVENT:
        headers |= {"Origin": ORIGIN, "WebHook-Request-Origin": ORIGIN}
    return Outgoing("POST", settings.destination.url, headers, content.body)
