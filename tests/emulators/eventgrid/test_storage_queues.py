"""Storage queues of the real Azurite as destinations: the message, its lifetime, what becomes of what does not fit."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from emulators.eventgrid import limits
from emulators.eventgrid.application import Options, create
from local.azurite import StorageAddress
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.test_deadletters import ACCOUNT, letters_to
from tests.serving import served

REFERENCE = "ARM reference: StorageQueueEventSubscriptionDestination; articles/event-grid handler-storage-queues"
PATH = "/topics/orders/eventSubscriptions/sub"


@pytest.fixture
def emulator(azurite: StorageAddress) -> Iterator[Emulator]:
    """An emulator beside the real Azurite."""
    with served(lambda: create(options=Options(storage=azurite.connection_string))) as url:
        yield Emulator(url)


@contextmanager
def queue(azurite: StorageAddress, name: str) -> Iterator[QueueClient]:
    """An empty queue of that name."""
    with QueueClient.from_connection_string(azurite.connection_string, name) as client:
        client.create_queue()
        yield client
        client.delete_queue()


def subscribe(emulator: Emulator, name: str, inner: dict[str, Any] | None = None, **properties: Any) -> None:
    """Subscribe a queue; there is no handshake, so it succeeds at once."""
    destination = {
        "endpointType": "StorageQueue",
        "properties": {"resourceId": ACCOUNT, "queueName": name, **(inner or {})},
    }
    answer = emulator.arm("PUT", PATH, {"properties": {"destination": destination, **properties}})
    assert answer.status_code == 201, answer.text
    emulator.until(lambda: emulator.arm("GET", PATH).json()["properties"]["provisioningState"] == "Succeeded")


@pytest.mark.documented(REFERENCE)
@pytest.mark.parametrize(("schema", "names"), [("EventGridSchema", "eventType"), ("CloudEventSchemaV1_0", "type")])
def test_a_message_is_one_event_in_base64(emulator: Emulator, azurite: StorageAddress, schema: str, names: str) -> None:
    """Not an array; in the subscription's schema; it lives for seven days unless told otherwise."""
    endpoint = emulator.topic("orders")
    with queue(azurite, f"one-{names.lower()}") as client:
        subscribe(emulator, client.queue_name, eventDeliverySchema=schema)
        assert emulator.publish(endpoint, [event(), event(id="2")]).status_code == 200
        emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 2)
        messages = list(client.receive_messages(max_messages=10))
    documents = [orjson.loads(base64.b64decode(each.content)) for each in messages]
    assert sorted(each["id"] for each in documents) == ["1", "2"]
    assert {each[names] for each in documents} == {"OrderStatusUpdated"}
    lifetimes = {each.expires_on - each.inserted_on for each in messages if each.expires_on and each.inserted_on}
    assert lifetimes == {timedelta(days=7)}


@pytest.mark.documented(REFERENCE + ": queueMessageTimeToLiveInSeconds")
@pytest.mark.parametrize("seconds", [-1, 600])
def test_a_message_lives_as_long_as_the_subscription_says(
    emulator: Emulator, azurite: StorageAddress, seconds: int
) -> None:
    """Seconds, or for ever."""
    endpoint = emulator.topic("orders")
    with queue(azurite, f"lives{seconds}".replace("-", "")) as client:
        subscribe(emulator, client.queue_name, {"queueMessageTimeToLiveInSeconds": seconds})
        emulator.publish(endpoint, [event()])
        emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)
        (message,) = client.receive_messages()
    assert message.expires_on
    assert message.inserted_on
    lifetime = message.expires_on - message.inserted_on
    assert lifetime == timedelta(seconds=600) if seconds > 0 else lifetime > timedelta(days=1000)


@pytest.mark.documented("Queue service REST API: a message is 64 KiB at most; delivery-and-retry: 413 is not retried")
def test_an_event_that_is_too_large_for_a_queue_becomes_a_dead_letter(
    emulator: Emulator, azurite: StorageAddress
) -> None:
    """48 KiB are 64 KiB in base64: one more and the queue refuses for good."""
    endpoint = emulator.topic("orders")
    with (
        queue(azurite, "too-large") as client,
        BlobServiceClient.from_connection_string(azurite.connection_string) as account,
    ):
        container = account.create_container("too-large")
        subscribe(emulator, client.queue_name, deadLetterDestination=letters_to("too-large"))
        emulator.publish(endpoint, [event(id="fits", data="x" * 48_000), event(id="not", data="x" * 49_500)])
        emulator.until(lambda: len(emulator.control("GET", "/deadletters")["value"]) == 1)
        emulator.advance(limits.DEAD_LETTER_DELAY_SECONDS + 1)
        emulator.until(lambda: bool(list(container.list_blob_names())))
        (name,) = container.list_blob_names()
        (letter,) = orjson.loads(container.download_blob(name).readall())
        container.delete_container()
    assert (letter["id"], letter["lastDeliveryOutcome"], letter["lastHttpStatusCode"]) == (
        "not",
        "PayloadTooLarge",
        413,
    )
    assert emulator.totals()["DeliverySuccessCount"] == 1


@pytest.mark.documented("articles/event-grid delivery-and-retry: Azure resources are tried again 5 minutes after a 404")
def test_a_queue_that_is_not_there_yet_gets_its_event_later(emulator: Emulator, azurite: StorageAddress) -> None:
    """NotFound, then five minutes; the queue that was made meanwhile gets it."""
    endpoint = emulator.topic("orders")
    subscribe(emulator, "made-later")
    emulator.publish(endpoint, [event()])
    emulator.until(lambda: [each["outcome"] for each in emulator.attempts()] == ["NotFound"])
    with queue(azurite, "made-later") as client:
        emulator.advance(5 * 60 * (1 + limits.RETRY_JITTER))
        emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)
        assert len(list(client.peek_messages())) == 1


@pytest.mark.our_choice("a storage account that does not answer is a socket that does not")
def test_storage_that_is_away_is_tried_again() -> None:
    """On the schedule."""
    away = StorageAddress(1, 1, 1)
    with served(lambda: create(options=Options(storage=away.connection_string))) as url:
        emulator = Emulator(url)
        endpoint = emulator.topic("orders")
        subscribe(emulator, "nowhere")
        emulator.publish(endpoint, [event()])
        emulator.until(lambda: [each["outcome"] for each in emulator.attempts()] == ["SocketError"])


@pytest.mark.documented(REFERENCE + "; delivery-properties: not for storage queues")
@pytest.mark.parametrize(
    ("inner", "says"),
    [
        ({"queueName": "No_Queue"}, "queueName"),
        ({"resourceId": ACCOUNT + "other"}, "--storage"),
        ({"resourceId": "somewhere"}, "resourceId"),
        ({"queueMessageTimeToLiveInSeconds": 0}, "queueMessageTimeToLiveInSeconds"),
        ({"deliveryAttributeMappings": []}, "deliveryAttributeMappings"),
        ({"maxEventsPerBatch": 2}, "maxEventsPerBatch"),
    ],
)
def test_a_wrong_queue_destination_is_refused_by_name(emulator: Emulator, inner: dict[str, Any], says: str) -> None:
    """400, and nothing is created."""
    emulator.topic("orders")
    properties = {"resourceId": ACCOUNT, "queueName": "good", **inner}
    destination = {"endpointType": "StorageQueue", "properties": properties}
    answer = emulator.arm("PUT", PATH, {"properties": {"destination": destination}})
    assert (answer.status_code, says in answer.json()["error"]["message"]) == (400, True)
