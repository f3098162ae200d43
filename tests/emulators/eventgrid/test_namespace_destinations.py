"""A namespace's topic as the destination of a custom topic's subscription."""

from __future__ import annotations

from typing import Any

import pytest

from emulators.eventgrid import limits
from tests.emulators.eventgrid.conftest import ARM, Emulator, event
from tests.emulators.eventgrid.pulling import TOPIC, provide, pulling

HANDLER = "articles/event-grid handler-event-grid-namespace-topic"
PATH = "/topics/orders/eventSubscriptions/sub"


def subscribe(emulator: Emulator, **properties: Any) -> int:
    """Subscribe the namespace's topic; ARM's status."""
    destination = {"endpointType": "NamespaceTopic", "properties": {"resourceId": ARM + TOPIC}}
    return emulator.arm("PUT", PATH, {"properties": {"destination": destination, **properties}}).status_code


@pytest.mark.documented(HANDLER)
def test_events_go_on_into_a_namespaces_topic_as_cloud_events(emulator: Emulator) -> None:
    """Where the official client receives them."""
    provide(emulator)
    endpoint = emulator.topic("orders")
    assert subscribe(emulator, eventDeliverySchema="CloudEventSchemaV1_0") == 201
    emulator.publish(endpoint, [event(id="one")])
    with pulling(emulator) as clients:
        (received,) = clients.receive()
    assert (received.event.id, received.event.type) == ("one", "OrderStatusUpdated")
    assert received.event.source == f"{ARM}/topics/orders"


@pytest.mark.documented(HANDLER + ": CloudEvents only")
def test_a_namespaces_topic_takes_cloud_events_only(emulator: Emulator) -> None:
    """Another delivery schema is refused."""
    emulator.topic("orders")
    assert subscribe(emulator) == 400


@pytest.mark.our_choice("the docs have no line for it: as any Azure resource that is not there")
def test_a_topic_that_is_not_there_yet_gets_its_event_later(emulator: Emulator) -> None:
    """NotFound, then five minutes."""
    endpoint = emulator.topic("orders")
    subscribe(emulator, eventDeliverySchema="CloudEventSchemaV1_0")
    emulator.publish(endpoint, [event(id="one")])
    emulator.until(lambda: [each["outcome"] for each in emulator.attempts()] == ["NotFound"])
    provide(emulator)
    emulator.advance(300 * (1 + limits.RETRY_JITTER))
    with pulling(emulator) as clients:
        assert [each.event.id for each in clients.receive()] == ["one"]
