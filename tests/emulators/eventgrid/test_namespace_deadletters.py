"""Dead letters of namespace topics: which events, where the blob lies, what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from azure.core.exceptions import HttpResponseError

from emulators.eventgrid.application import create
from emulators.eventgrid.limits import EVENT_DEPTH_MAX
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.pulling import Pulling, provide, pulling
from tests.emulators.eventgrid.test_deadletters import ACCOUNT, Blobs, letters_to
from tests.serving import served

DEAD = "articles/event-grid dead-letter-event-subscriptions-namespace-topics"
RETRY = "articles/event-grid namespace-delivery-retry"
PATH = r"dead/sales/orders/shipping/\d{4}/[1-9]\d?/[1-9]\d?/(0|[1-9]\d?)/[0-9a-f-]{36}\.json"


@pytest.fixture
def blobs() -> Blobs:
    """Storage in memory."""
    return Blobs()


@pytest.fixture
def sales(blobs: Blobs) -> Iterator[Pulling]:
    """A queue of one delivery whose dead letters go to `blobs`."""
    with served(lambda: create(storage=blobs)) as url:
        emulator = Emulator(url)
        wrapped = {"identity": {"type": "SystemAssigned"}, "deadLetterDestination": letters_to("dead")}
        queue = {
            "maxDeliveryCount": 1,
            "eventTimeToLive": "PT1H",
            "deadLetterDestinationWithResourceIdentity": wrapped,
        }
        provide(emulator, queue=queue)
        with pulling(emulator) as clients:
            yield clients


def the_letter(sales: Pulling, blobs: Blobs) -> dict[str, Any]:
    """The one dead letter, after its delay."""
    sales.emulator.until(lambda: len(sales.emulator.control("GET", "/deadletters")["value"]) == 1)
    assert not blobs.kept
    sales.emulator.advance(300)
    sales.emulator.until(lambda: bool(blobs.kept))
    ((path, content),) = blobs.kept.items()
    assert re.fullmatch(PATH, path)
    (letter,) = orjson.loads(content)
    assert letter["event"]["data"] == {"order": "1"}
    told: dict[str, Any] = letter["deadLetterProperties"]
    return told


@pytest.mark.documented(f"{DEAD}: folders; {RETRY}: the example of a dead letter")
def test_an_event_that_nobody_settles_becomes_a_dead_letter(sales: Pulling, blobs: Blobs) -> None:
    """When the lock of its last delivery is over."""
    sales.publish("1")
    sales.receive()
    sales.emulator.advance(60)
    told = the_letter(sales, blobs)
    assert told["deadletterreason"] == "Maximum delivery attempts was exceeded."
    assert told["deliveryresult"] == "Event was not acknowledged nor rejected."
    assert told["deliveryattempts"] == 1
    assert told["publishutc"] <= told["deliveryattemptutc"]


@pytest.mark.documented(f"{DEAD}; azure-eventgrid: rejected events are dead-lettered. The words are our choice")
def test_a_rejected_event_becomes_a_dead_letter(sales: Pulling, blobs: Blobs) -> None:
    """At once."""
    sales.publish("1")
    sales.consumer.reject(lock_tokens=sales.tokens())
    assert the_letter(sales, blobs)["deliveryresult"] == "Event was rejected."


@pytest.mark.documented(f"{RETRY}: either limit ends it. The words are our choice")
def test_an_event_that_nobody_receives_becomes_a_dead_letter(sales: Pulling, blobs: Blobs) -> None:
    """When its time to live is over; no attempt is told."""
    sales.publish("1")
    sales.emulator.advance(3601)
    told = the_letter(sales, blobs)
    assert (told["deadletterreason"], told["deliveryattempts"]) == ("Event time to live was exceeded.", 0)
    assert "deliveryattemptutc" not in told


@pytest.mark.our_choice("the service's own bound of nesting is not documented")
def test_the_deepest_event_becomes_a_dead_letter_too(sales: Pulling, blobs: Blobs) -> None:
    """What may be published can be buried; one level more may not be published."""
    data: list[Any] = []
    for _ in range(EVENT_DEPTH_MAX - 2):
        data = [data]
    sales.publish("1", data=data)
    with pytest.raises(HttpResponseError, match="nests deeper"):
        sales.publish("2", data=[data])
    sales.consumer.reject(lock_tokens=sales.tokens())
    sales.emulator.until(lambda: len(sales.emulator.control("GET", "/deadletters")["value"]) == 1)
    sales.emulator.advance(300)
    sales.emulator.until(lambda: bool(blobs.kept))
    (content,) = blobs.kept.values()
    assert orjson.loads(content)[0]["event"]["data"] == data


@pytest.mark.our_choice("the emulator has one storage account")
def test_letters_to_another_account_are_refused(sales: Pulling) -> None:
    """With the place in the body and what to do."""
    elsewhere = {**letters_to("dead"), "properties": {"resourceId": ACCOUNT + "x", "blobContainerName": "dead"}}
    queue = {"deadLetterDestinationWithResourceIdentity": {"deadLetterDestination": elsewhere}}
    body = {"properties": {"deliveryConfiguration": {"deliveryMode": "Queue", "queue": queue}}}
    answer = sales.emulator.arm("PUT", "/namespaces/sales/topics/orders/eventSubscriptions/other", body)
    assert answer.status_code == 400
    assert "--storage" in answer.json()["error"]["message"]
