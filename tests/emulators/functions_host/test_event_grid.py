"""The Event Grid webhook, as Event Grid calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulators.functions_host.running import RunningHost, running_host, write_app

APP = """
import logging, threading
import azure.functions as func
app = func.FunctionApp()
both = threading.Barrier(2, timeout=20)

@app.event_grid_trigger(arg_name="event")
def Meets(event: func.EventGridEvent):
    both.wait()
    logging.info("met %s %s %s", event.id, event.subject, event.get_json())

@app.event_grid_trigger(arg_name="event")
async def Fails(event: func.EventGridEvent):
    logging.info("got %s", event.id)
    if event.id == "bad":
        raise RuntimeError("cannot")

@app.event_grid_trigger(arg_name="event")
async def Raw(event: str):
    logging.info("raw %s", event)
"""
NOTIFICATION = {"aeg-event-type": "Notification"}


def event(number: str) -> dict[str, Any]:
    """One event in the Event Grid schema."""
    return {
        "id": number,
        "topic": "t",
        "subject": "orders/update",
        "eventType": "OrderStatusUpdated",
        "eventTime": "2026-11-01T10:00:00.1234567Z",
        "dataVersion": "1.0",
        "data": {"n": number},
    }


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host that runs APP."""
    with running_host(write_app(tmp_path_factory.mktemp("events"), APP)) as started:
        yield started


def hook(name: str) -> str:
    """The webhook of a function."""
    return f"/runtime/webhooks/EventGrid?functionName={name}"


@pytest.mark.read_in_sdk("Microsoft.Azure.WebJobs.Extensions.EventGrid EventGridExtensionConfigProvider.cs")
def test_the_events_of_a_delivery_run_in_parallel(host: RunningHost) -> None:
    """Two events that wait for each other both run, and the delivery is answered 202 when they have."""
    answer = host.call("POST", hook("Meets"), json=[event("1"), event("2")], headers=NOTIFICATION)
    assert (answer.status_code, answer.content) == (202, b"")
    host.until("met 1 orders/update {'n': '1'}")
    host.until("met 2 orders/update {'n': '2'}")


@pytest.mark.read_in_sdk("Microsoft.Azure.WebJobs.Extensions.EventGrid EventGridExtensionConfigProvider.cs")
def test_one_failure_fails_the_delivery_but_stops_nobody(host: RunningHost) -> None:
    """500 names the function; the other event has run all the same."""
    answer = host.call("POST", hook("Fails"), json=[event("bad"), event("good")], headers=NOTIFICATION)
    assert (answer.status_code, answer.text) == (500, "Exception while executing function: Functions.Fails")
    host.until("got good")


@pytest.mark.read_in_sdk("Microsoft.Azure.WebJobs.Extensions.EventGrid HttpRequestProcessor.cs")
def test_the_validation_handshake(host: RunningHost) -> None:
    """The code comes back, and the function does not run."""
    body = [{**event("validation"), "data": {"validationCode": "the-code"}}]
    answer = host.call("POST", hook("Fails"), json=body, headers={"aeg-event-type": "SubscriptionValidation"})
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "the-code"})


@pytest.mark.parametrize(
    ("asked", "allowed"), [("eventgrid.azure.us", "eventgrid.azure.us"), ("x.example", "eventgrid.azure.net")]
)
@pytest.mark.read_in_sdk("Microsoft.Azure.WebJobs.Extensions.EventGrid HttpRequestProcessor.cs")
def test_the_cloud_events_handshake(host: RunningHost, asked: str, allowed: str) -> None:
    """OPTIONS grants the origins of Event Grid, whoever asks."""
    answer = host.call("OPTIONS", hook("Fails"), headers={"WebHook-Request-Origin": asked})
    assert (answer.status_code, answer.headers["webhook-allowed-origin"]) == (200, allowed)


@pytest.mark.read_in_sdk("Microsoft.Azure.WebJobs.Extensions.EventGrid HttpRequestProcessor.cs: dates stay as they are")
def test_a_single_event_stays_as_it_was(host: RunningHost) -> None:
    """An object instead of an array is one event, its date untouched."""
    assert host.call("POST", hook("Raw"), json=event("alone"), headers=NOTIFICATION).status_code == 202
    assert '"eventTime":"2026-11-01T10:00:00.1234567Z"' in host.until('raw {"id":"alone"')


@pytest.mark.parametrize(
    ("name", "headers", "body", "status"),
    [
        ("Fails", {}, "[]", 400),
        ("Fails", {"aeg-event-type": "Unsubscribe"}, "[]", 202),
        ("Fails", NOTIFICATION, "[]", 202),
        ("Fails", NOTIFICATION, "no json", 500),
        ("fails", NOTIFICATION, "[]", 404),
        ("Absent", NOTIFICATION, "[]", 404),
    ],
)
@pytest.mark.read_in_sdk("Microsoft.Azure.WebJobs.Extensions.EventGrid HttpRequestProcessor.cs")
def test_other_requests(host: RunningHost, name: str, headers: dict[str, str], body: str, status: int) -> None:
    """No event type is 400, unsubscribing 202, bad JSON 500, an unknown function (case matters) 404."""
    assert host.call("POST", hook(name), data=body, headers=headers).status_code == status
