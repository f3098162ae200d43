"""Handshakes: who agrees gets events, who does not gets none."""

from __future__ import annotations

import orjson
import pytest
import requests

from emulators.eventgrid import limits
from emulators.eventgrid.application import Options, create
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.subscriber import Received, Reply, Subscriber, consent
from tests.serving import served

WEBHOOK = "articles/event-grid webhook-event-delivery"
PATH = "/topics/orders/providers/Microsoft.EventGrid/eventSubscriptions/sub"


def silent(request: Received) -> Reply | None:
    """Answer a handshake with 200 and nothing."""
    return (200, {}, b"") if consent(request) else None


def accepted(request: Received) -> Reply | None:
    """Answer a handshake rightly, but with 202."""
    agreed = consent(request)
    return agreed and (202, agreed[1], agreed[2])


@pytest.mark.documented(WEBHOOK)
def test_an_event_grid_handshake_asks_with_a_code(emulator: Emulator, webhook: Subscriber) -> None:
    """One event of the validation type, with a code and a URL."""
    emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    (asked,) = webhook.requests
    (validation,) = asked.document
    assert asked.headers["aeg-event-type"] == "SubscriptionValidation"
    assert validation["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert validation["data"]["validationUrl"].startswith(emulator.url)


@pytest.mark.documented(WEBHOOK)
def test_a_cloud_events_handshake_asks_by_options(emulator: Emulator, webhook: Subscriber) -> None:
    """With the origin, a callback and a rate, and no body of any type."""
    emulator.topic("orders", inputSchema="CloudEventSchemaV1_0")
    emulator.subscribe("orders", "sub", webhook.url)
    (asked,) = webhook.requests
    assert (asked.method, asked.headers["webhook-request-origin"]) == ("OPTIONS", "eventgrid.azure.net")
    assert asked.headers["webhook-request-rate"].isdecimal()
    assert (asked.body, "content-type" in asked.headers) == (b"", False)
    assert asked.headers["webhook-request-callback"].startswith(emulator.url)


@pytest.mark.documented(WEBHOOK)
def test_an_answer_other_than_200_fails(emulator: Emulator, webhook: Subscriber) -> None:
    """202 with the right code is no consent; events published then are not kept for it."""
    webhook.handshake = accepted
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url, ends="Failed")
    emulator.publish(endpoint, [event()])
    assert emulator.totals()["UnmatchedEventCount"] == 1
    assert not webhook.deliveries()


@pytest.mark.documented(WEBHOOK)
@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
def test_a_user_may_validate_by_hand(emulator: Emulator, webhook: Subscriber, schema: str) -> None:
    """200 without consent waits for the URL to be opened."""
    webhook.handshake = silent
    emulator.topic("orders", inputSchema=schema)
    emulator.subscribe("orders", "sub", webhook.url, ends="AwaitingManualAction")
    (asked,) = webhook.requests
    url = asked.headers.get("webhook-request-callback") or asked.document[0]["data"]["validationUrl"]
    assert requests.get(url, timeout=30).status_code == 200
    assert emulator.arm("GET", PATH).json()["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.documented(WEBHOOK)
def test_validating_by_hand_has_five_minutes(emulator: Emulator, webhook: Subscriber) -> None:
    """After them the subscription has failed, and the URL is of no use."""
    webhook.handshake = silent
    emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url, ends="AwaitingManualAction")
    emulator.advance(limits.VALIDATION_URL_SECONDS + 1)
    emulator.until(lambda: emulator.arm("GET", PATH).json()["properties"]["provisioningState"] == "Failed")
    assert requests.get(webhook.requests[0].document[0]["data"]["validationUrl"], timeout=30).status_code == 404


@pytest.mark.our_choice("--retry-handshakes: a function host that is not up yet is asked again")
def test_retried_handshakes_wait_for_an_endpoint_and_keep_its_events(webhook: Subscriber) -> None:
    """While it is not there the state is Creating; what is published meanwhile is delivered then."""
    webhook.handshake = accepted
    with served(lambda: create(options=Options(retry_handshakes=True))) as url:
        emulator = Emulator(url)
        endpoint = emulator.topic("orders")
        emulator.subscribe("orders", "sub", webhook.url, ends="Creating")
        emulator.publish(endpoint, [event()])
        webhook.handshake = consent
        (delivered,) = webhook.wait_for(1)
        assert delivered.document[0]["id"] == "1"


@pytest.mark.documented("articles/event-grid: Microsoft.EventGrid.SubscriptionDeletedEvent")
def test_a_webhook_is_told_that_its_subscription_is_gone(emulator: Emulator, webhook: Subscriber) -> None:
    """One request of the type SubscriptionDeletion."""
    emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    assert emulator.arm("DELETE", PATH).status_code == 202
    emulator.until(lambda: len(webhook.requests) == 2)
    notice = webhook.requests[1]
    assert notice.headers["aeg-event-type"] == "SubscriptionDeletion"
    assert orjson.loads(notice.body)[0]["eventType"] == "Microsoft.EventGrid.SubscriptionDeletedEvent"
