"""Domains: one endpoint, events that say which topic they are for, subscriptions to all or to one."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from emulators.eventgrid.auth import DEVELOPMENT_KEY
from tests.emulators.eventgrid.conftest import ARM, Emulator, event
from tests.emulators.eventgrid.subscriber import Received, Subscriber

DOMAINS = "articles/event-grid event-domains, how-to-event-domains"


def domain(emulator: Emulator, name: str = "shop", **properties: Any) -> str:
    """Create a domain; the address to publish to."""
    answer = emulator.arm("PUT", f"/domains/{name}", {"location": "here", "properties": properties})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["properties"]["endpoint"])


def received(deliveries: list[Received]) -> set[tuple[str, str]]:
    """Which subscription got which event."""
    documents = ((each.headers["aeg-subscription-name"], each.document) for each in deliveries)
    return {(name, (body[0] if isinstance(body, list) else body)["id"]) for name, body in documents}


@pytest.mark.documented(DOMAINS)
def test_each_event_goes_to_the_topic_that_it_names(emulator: Emulator, webhook: Subscriber) -> None:
    """A batch may mix them; a subscription of the domain gets all, also those whose topic nobody has made."""
    endpoint = domain(emulator)
    emulator.subscribe("/domains/shop/topics/north", "of-north", webhook.url)
    emulator.subscribe("/domains/shop/topics/south", "of-south", webhook.url)
    emulator.subscribe("/domains/shop", "of-all", webhook.url)
    batch = [event(id=str(at), topic=name) for at, name in enumerate(("north", "south", "nowhere"))]
    assert emulator.publish(endpoint, batch).status_code == 200
    deliveries = webhook.wait_for(5)
    assert received(deliveries) == {
        ("OF-NORTH", "0"), ("OF-SOUTH", "1"), ("OF-ALL", "0"), ("OF-ALL", "1"), ("OF-ALL", "2"),
    }  # fmt: skip
    topics = {each.document[0]["id"]: each.document[0]["topic"] for each in deliveries}
    assert topics["0"] == f"{ARM}/domains/shop/topics/north"


@pytest.mark.read_in_sdk("azure-eventgrid 4.22.1: EventGridEvent(topic=…)")
def test_the_sdk_publishes_to_a_domain(emulator: Emulator, webhook: Subscriber) -> None:
    """Its `topic` is the domain's topic."""
    endpoint = domain(emulator)
    emulator.subscribe("/domains/shop/topics/north", "sub", webhook.url)
    sent = EventGridEvent(subject="s", event_type="T", data={}, data_version="1", topic="north")
    with EventGridPublisherClient(endpoint, AzureKeyCredential(DEVELOPMENT_KEY)) as client:
        client.send([sent])
    assert webhook.wait_for(1)[0].document[0]["id"] == str(sent.id)


@pytest.mark.documented(DOMAINS + ": for CloudEvents the source is the topic")
def test_a_cloud_event_names_its_topic_by_its_source(emulator: Emulator, webhook: Subscriber) -> None:
    """And is delivered with it."""
    endpoint = domain(emulator, inputSchema="CloudEventSchemaV1_0")
    emulator.subscribe("/domains/shop/topics/north", "sub", webhook.url)
    with EventGridPublisherClient(endpoint, AzureKeyCredential(DEVELOPMENT_KEY)) as client:
        client.send([CloudEvent(source=each, type="T", data=each) for each in ("south", "north")])
    delivered = webhook.wait_for(1)[0].document
    assert (delivered["source"], delivered["data"]) == ("north", "north")
    refused = emulator.publish(endpoint, {"id": "1", "type": "T"})
    assert (refused.status_code, "'source'" in refused.json()["error"]["message"]) == (400, True)


@pytest.mark.documented("articles/event-grid input-mappings: topic has a sourceField")
def test_a_custom_event_names_its_topic_by_the_mapping(emulator: Emulator, webhook: Subscriber) -> None:
    """An event without it is refused."""
    constant = {name: {"defaultValue": "x"} for name in ("eventType", "subject", "dataVersion")}
    properties = {**constant, "topic": {"sourceField": "shop"}}
    mapping = {"inputSchemaMappingType": "Json", "properties": properties}
    endpoint = domain(emulator, inputSchema="CustomEventSchema", inputSchemaMapping=mapping)
    emulator.subscribe("/domains/shop/topics/north", "sub", webhook.url)
    assert emulator.publish(endpoint, [{"shop": "north", "n": 1}]).status_code == 200
    assert webhook.wait_for(1)[0].document == [{"shop": "north", "n": 1}]
    refused = emulator.publish(endpoint, [{"n": 1}])
    assert (refused.status_code, "'topic'" in refused.json()["error"]["message"]) == (400, True)


@pytest.mark.our_choice("the service's words for a topic that is missing are not known: those for any missing property")
def test_an_event_without_a_topic_is_refused(emulator: Emulator) -> None:
    """The whole request, with the message of any missing property."""
    endpoint = domain(emulator)
    refused = emulator.publish(endpoint, [event(topic="north"), event()])
    assert (refused.status_code, "requires 'topic'" in refused.json()["error"]["message"]) == (400, True)
    assert emulator.totals()["PublishSuccessCount"] == 0


@pytest.mark.documented(DOMAINS)
def test_a_domain_has_keys_of_its_own(emulator: Emulator) -> None:
    """A rotated key opens it, the old one does not."""
    endpoint = domain(emulator)
    keys = emulator.arm("POST", "/domains/shop/regenerateKey", {"keyName": "key1"}).json()
    sent = [event(topic="north")]
    assert emulator.publish(endpoint, sent).status_code == 401
    assert emulator.publish(endpoint, sent, **{"aeg-sas-key": keys["key1"]}).status_code == 200
    assert requests.options(endpoint, timeout=30).headers["aeg-input-event-schema"] == "EventGridEvent"


@pytest.mark.our_choice("names make the endpoint, so a topic and a domain cannot share one")
def test_a_domain_and_a_topic_cannot_have_one_name(emulator: Emulator) -> None:
    """409, whichever came first."""
    domain(emulator)
    assert emulator.arm("PUT", "/topics/shop", {"location": "here"}).status_code == 409


@pytest.mark.documented("articles/event-grid event-domains, quotas-limits")
def test_a_domain_has_at_most_fifty_subscriptions_of_its_own(emulator: Emulator) -> None:
    """The 51st is refused; a topic of the domain takes more."""
    domain(emulator)
    queue = {
        "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"
    }
    destination = {"endpointType": "StorageQueue", "properties": {**queue, "queueName": "queue"}}
    body = {"properties": {"destination": destination}}
    statuses = [emulator.arm("PUT", f"/domains/shop/eventSubscriptions/sub-{at}", body).status_code for at in range(51)]
    assert statuses == [201] * 50 + [400]
    assert emulator.arm("PUT", "/domains/shop/topics/north/eventSubscriptions/one", body).status_code == 201
