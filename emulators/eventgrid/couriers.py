"""How an event gets to each kind of destination: a request to a webhook or function, a message in a storage queue.

It makes what is sent and reads the answer; when to send, and what follows from the answer, is the lane's.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from emulators.eventgrid.attributes import headers_of
from emulators.eventgrid.conversion import DeliverySchema, Stored, one, payload
from emulators.eventgrid.handshake import ORIGIN
from emulators.eventgrid.storage import QueueWriter, StorageUnavailable
from emulators.eventgrid.subscriptions import Subscription
from emulators.eventgrid.transport import Incoming, Outgoing, Transport


class Couriers:
    """Delivers to any destination."""

    def __init__(self, transport: Transport, queues: QueueWriter) -> None:
        self._transport = transport
        self._queues = queues

    async def deliver(self, subscription: Subscription, events: Sequence[Stored], *, delivery_count: int) -> Incoming:
        """Bring `events` in one request; never raises for what the destination does."""
        queue = subscription.settings.destination.queue
        if queue is None:
            return await self._transport.send(outgoing(subscription, events, delivery_count=delivery_count))
        (event,) = events
        try:
            answer = await self._queues.enqueue(
                queue.name, message(event, subscription.settings.schema), queue.live_seconds
            )
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
        "aeg-data-version": content.data_version,
        "aeg-metadata-version": "1",
    }
    if settings.schema is DeliverySchema.CLOUD_EVENT:
        headers |= {"Origin": ORIGIN, "WebHook-Request-Origin": ORIGIN}
    return Outgoing("POST", settings.destination.url, headers, content.body)
