"""A namespace `sales` with the topic `orders`, and the official clients to publish to it and pull from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import requests
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridConsumerClient, EventGridPublisherClient
from azure.eventgrid.models import ReceiveDetails

from emulators.eventgrid.auth import DEVELOPMENT_KEY
from tests.emulators.eventgrid.conftest import Emulator

NAMESPACE = "/namespaces/sales"
TOPIC = NAMESPACE + "/topics/orders"
VERSION = "2024-06-01"
WAIT_SECONDS_MIN = 10
Received: TypeAlias = ReceiveDetails[Any]


@dataclass
class Pulling:
    """The clients, and short words for what tests do with them."""

    emulator: Emulator
    publisher: EventGridPublisherClient
    consumer: EventGridConsumerClient

    def publish(self, *ids: str, **attributes: Any) -> None:
        """Publish events with these ids in one request."""
        self.publisher.send([cloud_event(each, **attributes) for each in ids])

    def receive(self, most: int = 10) -> list[Received]:
        """What can be received; there must be something, or the clock must be turned meanwhile."""
        return self.consumer.receive(max_events=most, max_wait_time=WAIT_SECONDS_MIN)

    def tokens(self, most: int = 10) -> list[str]:
        """The lock tokens of what can be received."""
        return [token_of(each) for each in self.receive(most)]

    def backlog(self, subscription: str = "shipping") -> tuple[int, int, int]:
        """How many events are receivable, held by somebody, released until later."""
        for namespace in self.emulator.control("GET", "/namespaces")["value"]:
            for topic in namespace["topics"]:
                for each in topic["eventSubscriptions"]:
                    if each["name"] == subscription:
                        return each["waiting"], each["held"], each["delayed"]
        raise AssertionError(f"no subscription {subscription}")


def cloud_event(event_id: str, **attributes: Any) -> CloudEvent[Any]:
    """An event of the SDK's own class."""
    return CloudEvent(
        **{"source": "/shop", "type": "OrderPlaced", "data": {"order": event_id}, "id": event_id, **attributes}
    )


def token_of(received: Received) -> str:
    """The lock token of a received event."""
    return str(received.broker_properties.lock_token)


def ids_of(received: list[Received]) -> list[str]:
    """The ids of received events."""
    return [str(each.event.id) for each in received]


def provide(emulator: Emulator, subscription: str = "shipping", **properties: Any) -> None:
    """Make the namespace, its topic and an event subscription; `queue` may give its settings."""
    delivery = {"deliveryMode": "Queue", "queue": properties.pop("queue", {})}
    for path, body in (
        (NAMESPACE, {"location": "here", "sku": {"name": "Standard", "capacity": 1}}),
        (TOPIC, {"properties": {"eventRetentionInDays": 7}}),
        (
            f"{TOPIC}/eventSubscriptions/{subscription}",
            {"properties": {"deliveryConfiguration": delivery, **properties}},
        ),
    ):
        answer = emulator.arm("PUT", path, body)
        assert answer.status_code in (200, 201), answer.text


@contextmanager
def pulling(emulator: Emulator, subscription: str = "shipping") -> Iterator[Pulling]:
    """The clients of one subscription."""
    key = AzureKeyCredential(DEVELOPMENT_KEY)
    with (
        EventGridPublisherClient(emulator.url, key, namespace_topic="orders") as publisher,
        EventGridConsumerClient(emulator.url, key, namespace_topic="orders", subscription=subscription) as consumer,
    ):
        yield Pulling(emulator, publisher, consumer)


def post(
    emulator: Emulator, path: str, *, params: dict[str, object] | None = None, **request: Any
) -> requests.Response:
    """A raw data-plane request, authorized unless it says otherwise."""
    headers = {"authorization": f"SharedAccessKey {DEVELOPMENT_KEY}", **request.pop("headers", {})}
    given = {"api-version": VERSION, **(params or {})}
    return requests.post(emulator.url + path, params=given, headers=headers, timeout=30, **request)  # type: ignore[arg-type]
