"""Publishing: what is accepted, what is refused, and in whose words."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from azure.core.credentials import AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas
from azure.eventgrid.aio import EventGridPublisherClient as AsyncPublisherClient

from emulators.base.serving import Bind
from emulators.base.tls import certificate_file, server_context
from emulators.eventgrid import limits
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.auth import DEVELOPMENT_KEY, SECOND_DEVELOPMENT_KEY, sign
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber
from tests.serving import served

PARITY = "parity suite of pm7y/AzureEventGridSimulator, run against Azure"
SDK = "azure-eventgrid 4.22.1"


def inner_code(answer: requests.Response) -> str:
    """The inner code of an error body."""
    code: str = answer.json()["error"]["details"][0]["code"]
    return code


@pytest.mark.read_in_sdk(SDK)
def test_the_sdk_publishes_event_grid_events_with_a_key(emulator: Emulator, webhook: Subscriber) -> None:
    """The subscriber gets the event with the topic's id and the metadata version filled in."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    with EventGridPublisherClient(endpoint, AzureKeyCredential(DEVELOPMENT_KEY)) as client:
        client.send(EventGridEvent(subject="orders/update", event_type="T", data={"n": 1}, data_version="1.0"))
    (delivered,) = webhook.wait_for(1)[0].document
    assert delivered["data"] == {"n": 1}
    assert delivered["topic"].endswith("/providers/Microsoft.EventGrid/topics/orders")
    assert delivered["metadataVersion"] == "1"


@pytest.mark.read_in_sdk(SDK)
async def test_the_async_sdk_publishes_cloud_events_with_a_signature(emulator: Emulator, webhook: Subscriber) -> None:
    """A token made by the SDK opens the topic; a CloudEvent is delivered as one bare object."""
    endpoint = emulator.topic("clouds", inputSchema="CloudEventSchemaV1_0")
    emulator.subscribe("clouds", "sub", webhook.url)
    token = generate_sas(endpoint, DEVELOPMENT_KEY, datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    async with AsyncPublisherClient(endpoint, AzureSasCredential(token)) as client:
        await client.send([CloudEvent(source="/s", type="T", data={"n": 1}), CloudEvent(source="/s", type="T", data=2)])
    deliveries = webhook.wait_for(2)
    assert sorted(str(each.document["data"]) for each in deliveries) == ["2", "{'n': 1}"]
    assert {each.headers["content-type"] for each in deliveries} == {"application/cloudevents+json; charset=utf-8"}


@pytest.mark.read_in_sdk(SDK)
def test_the_sdk_turns_a_wrong_key_into_an_authentication_error(emulator: Emulator) -> None:
    """401 with the service's body."""
    endpoint = emulator.topic("orders")
    with (
        EventGridPublisherClient(endpoint, AzureKeyCredential("d3Jvbmc=")) as client,
        pytest.raises(ClientAuthenticationError, match="The request authorization key is not authorized for"),
    ):
        client.send(EventGridEvent(subject="s", event_type="T", data={}, data_version="1"))


@pytest.mark.seen_on_azure(PARITY)
def test_success_is_200_with_an_empty_body_and_a_request_id(emulator: Emulator) -> None:
    """Also without an api-version, in any case, with a trailing slash, and with text/plain."""
    endpoint = emulator.topic("orders")
    address = endpoint.replace("/api/events", "/API/Events/")
    answer = emulator.publish(address, [event()], **{"content-type": "text/plain"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["api-supported-versions"] == "2018-01-01"
    assert len(answer.headers["x-ms-request-id"]) == 36


@pytest.mark.seen_on_azure(PARITY)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "Token Expected: StartArray, Actual Token Received: StartObject."),
        ([], "The array holds no event."),
        ([1], "Token Expected: StartObject, Actual Token Received: Integer."),
        ([event(id="")], "requires 'id' property to be set."),
        ([event(subject=None)], "requires 'subject' property to be set."),
        ([event(dataVersion="")], "requires 'dataVersion' property to be set."),
        ([event(eventTime="yesterday")], "'eventTime' is not a date"),
        ([event(metadataVersion="2")], "'metadataVersion' must be '1'"),
        ([event(source="x")], "Received unexpected property 'source' in JSON"),
        ([event(), event(id="")], "requires 'id' property to be set."),
    ],
)
def test_an_invalid_event_refuses_the_whole_request(emulator: Emulator, body: Any, says: str) -> None:
    """400 InputJsonInvalid, the message twice and with a report id, and nothing accepted."""
    answer = emulator.publish(emulator.topic("orders"), body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], inner_code(answer)) == (400, "BadRequest", "InputJsonInvalid")
    assert says in error["message"]
    assert error["message"] == error["details"][0]["message"]
    assert f"Report '{answer.headers['x-ms-request-id']}:" in error["message"]
    assert emulator.totals()["PublishSuccessCount"] == 0


@pytest.mark.seen_on_azure(PARITY)
def test_the_topic_property_is_not_the_publishers_to_set(emulator: Emulator) -> None:
    """A foreign topic in an event is 401."""
    answer = emulator.publish(emulator.topic("orders"), [event(topic="/another")])
    assert answer.status_code == 401


@pytest.mark.seen_on_azure(PARITY)
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "Unauthorized"),
        ({"aeg-sas-key": ""}, 400, "InvalidSas"),
        ({"aeg-sas-key": "bm8="}, 401, "Unauthorized"),
        ({"authorization": "Bearer a.b.c"}, 401, "Unauthorized"),
        ({"aeg-sas-token": "garbage"}, 401, "Unauthorized"),
        ({"authorization": "SharedAccessSignature r=a&e=b&s=c"}, 401, "Unauthorized"),
    ],
)
def test_who_has_no_right_is_told_so(emulator: Emulator, headers: dict[str, str], status: int, code: str) -> None:
    """Missing, empty, wrong and forged credentials, each with the service's status and code."""
    answer = requests.post(emulator.topic("orders"), json=[event()], headers=headers, timeout=30)
    assert (answer.status_code, inner_code(answer)) == (status, code)


@pytest.mark.read_in_sdk(SDK)
@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("spelling", ["%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %I:%M:%S\u202f%p"])
def test_a_token_opens_until_it_expires(emulator: Emulator, spelling: str, hours: int) -> None:
    """In each SDK's spelling of the expiry, also for the second key and in the Authorization header."""
    expiry = (datetime.now(UTC) + timedelta(hours=hours)).strftime(spelling)  # noqa: TID251
    assert publish_until(emulator, expiry) == (200 if hours > 0 else 401)


@pytest.mark.read_in_sdk(
    "azure-messaging-eventgrid (Java): EventGridPublisherAsyncClient.generateSas, `M/d/yyyy h:m:s a`"
)
@pytest.mark.parametrize(("expiry", "status"), [("1/2/2100 3:4:5 PM", 200), ("1/2/2020 3:4:5 PM", 401)])
def test_an_expiry_may_have_single_digits(emulator: Emulator, expiry: str, status: int) -> None:
    """Java's minutes and seconds are not padded."""
    assert publish_until(emulator, expiry) == status


def publish_until(emulator: Emulator, expiry: str) -> int:
    """The status of a publish with a token of that expiry, signed with the second key."""
    endpoint = emulator.topic("orders")
    text = f"r={quote(endpoint + '?apiVersion=2018-01-01', safe='')}&e={quote(expiry, safe='')}"
    token = f"{text}&s={quote(sign(text, SECOND_DEVELOPMENT_KEY).decode(), safe='')}"
    sent = {"authorization": f"SharedAccessSignature {token}"}
    return requests.post(endpoint, json=[event()], headers=sent, timeout=30).status_code


@pytest.mark.our_choice("the service is .NET, whose reader skips a byte order mark and takes these forms of a date")
def test_what_dotnet_reads_is_taken(emulator: Emulator) -> None:
    """A byte order mark before the array; a time with a small z, in RFC 1123 or in the American form."""
    endpoint = emulator.topic("orders")
    times = ("2026-11-23T10:00:00z", "Mon, 23 Nov 2026 10:00:00 GMT", "11/23/2026 10:00:00 AM")
    body = codecs.BOM_UTF8 + json.dumps([event(eventTime=each) for each in times]).encode()
    headers = {"aeg-sas-key": DEVELOPMENT_KEY}
    assert requests.post(endpoint, data=body, headers=headers, timeout=30).status_code == 200
    for time in ("13/23/2026 10:00:00 AM", "11/23/2026 13:00:00 PM", "Mon, 99 Nov 2026 10:00:00 GMT", 5):
        assert emulator.publish(endpoint, [event(eventTime=time)]).status_code == 400


@pytest.mark.our_choice("the service's own bound is not documented; a defect's 500 would be none")
def test_an_event_may_nest_to_a_bound(emulator: Emulator, webhook: Subscriber) -> None:
    """The deepest is delivered as it is; one level more, or a thousand, is 400."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    deepest = limits.EVENT_DEPTH_MAX - 1
    for levels in (deepest + 1, 1000, 100_000):
        body = json.dumps([event(data=0)]).replace('"data": 0', f'"data": {"[" * levels}{"]" * levels}')
        answer = requests.post(endpoint, data=body, headers={"aeg-sas-key": DEVELOPMENT_KEY}, timeout=30)
        assert (answer.status_code, inner_code(answer)) == (400, "InputJsonInvalid")
    data: list[Any] = []
    for _ in range(deepest - 1):
        data = [data]
    assert emulator.publish(endpoint, [event(data=data)]).status_code == 200
    assert webhook.wait_for(1)[0].document[0]["data"] == data


@pytest.mark.seen_on_azure(PARITY)
def test_other_methods_and_paths(emulator: Emulator) -> None:
    """OPTIONS tells the schema, HEAD is 404, others 405 with Allow, unknown paths and topics 404."""
    endpoint = emulator.topic("orders")
    assert requests.options(endpoint, timeout=30).headers["aeg-input-event-schema"] == "EventGridEvent"
    assert requests.head(endpoint, timeout=30).status_code == 404
    refused = requests.put(endpoint, timeout=30)
    assert (refused.status_code, "POST" in refused.headers["allow"]) == (405, True)
    for path in ("/nowhere", "/nosuch/api/events"):
        answer = requests.post(emulator.url + path, json=[event()], timeout=30)
        assert (answer.status_code, inner_code(answer)) == (404, "ResourceNotFound")


@pytest.mark.seen_on_azure(PARITY)
def test_too_large_a_request_is_413(emulator: Emulator) -> None:
    """Over 1,536,000 bytes a request, over 1,049,600 an event; the message has no report id."""
    endpoint = emulator.topic("orders")
    for size, limit in ((1_600_000, 1_536_000), (1_100_000, 1_049_600)):
        answer = emulator.publish(endpoint, [event(data="x" * size)])
        assert (answer.status_code, inner_code(answer)) == (413, "PayloadTooLarge")
        assert answer.json()["error"]["message"] == f"The maximum size ({limit}) has been exceeded."
        assert (answer.headers["api-supported-versions"], len(answer.headers["x-ms-request-id"])) == ("2018-01-01", 36)


@pytest.mark.our_choice("the limit of one event holds whatever its schema")
def test_too_large_a_custom_event_is_413(emulator: Emulator) -> None:
    """An event of the publisher's own shape is measured in its envelope."""
    mapping = {name: {"defaultValue": "x"} for name in ("eventType", "subject", "dataVersion")}
    wanted = {"inputSchemaMappingType": "Json", "properties": mapping}
    endpoint = emulator.topic("custom", inputSchema="CustomEventSchema", inputSchemaMapping=wanted)
    answer = emulator.publish(endpoint, [{"n": "x" * 1_100_000}])
    assert (answer.status_code, inner_code(answer)) == (413, "PayloadTooLarge")


@pytest.mark.seen_on_azure(PARITY)
def test_cloud_events_by_content_type(emulator: Emulator) -> None:
    """Structured is one object, batch an array, binary comes in headers; anything else is refused by its kind."""
    endpoint = emulator.topic("clouds", inputSchema="CloudEventSchemaV1_0")
    one = {"id": "1", "type": "T", "source": "/s", "specversion": "1.0"}
    binary = {"ce-id": "1", "ce-type": "T", "ce-source": "/s", "ce-specversion": "1.0"}
    structured, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
    for body, headers, status in (
        (one, {"content-type": structured}, 200),
        ([one], {"content-type": structured}, 400),
        ([one], {"content-type": batch}, 200),
        (one, {"content-type": batch}, 400),
        (one, {}, 200),
        ([one], {}, 400),
        ([], {"content-type": batch}, 400),
        ({"id": "1", "type": "T"}, {}, 200),
        ({"id": "1"}, {}, 400),
        (one | {"time": "soon"}, {}, 400),
        (one, {"content-type": "text/plain"}, 415),
        ({"a": 1}, binary, 200),
        ({"a": 1}, binary | {"content-type": "text/plain"}, 415),
        ({"a": 1}, binary | {"ce-source": ""}, 400),
        (one, binary | {"content-type": structured}, 400),
    ):
        answer = emulator.publish(endpoint, body, **headers)
        assert answer.status_code == status, (body, headers, answer.text)


@pytest.mark.documented("articles/event-grid input-mappings")
def test_a_custom_schema_is_mapped_and_delivered_whole(emulator: Emulator, webhook: Subscriber) -> None:
    """The mapping finds type and subject, a default fills the version, and the original is delivered unchanged."""
    mapping = {
        "inputSchemaMappingType": "Json",
        "properties": {
            "eventType": {"sourceField": "kind"},
            "subject": {"sourceField": "about.name"},
            "dataVersion": {"defaultValue": "3"},
        },
    }
    endpoint = emulator.topic("custom", inputSchema="CustomEventSchema", inputSchemaMapping=mapping)
    wanted = {"includedEventTypes": ["made"], "subjectBeginsWith": "cup"}
    emulator.subscribe("custom", "whole", webhook.url, filter=wanted)
    emulator.subscribe("custom", "envelope", webhook.url, eventDeliverySchema="EventGridSchema")
    original = {"kind": "made", "about": {"name": "cup-1"}, "n": [1]}
    assert emulator.publish(endpoint, [original]).status_code == 200
    assert emulator.publish(endpoint, [{"kind": "made"}]).status_code == 400
    bodies = {each.headers["aeg-subscription-name"]: each.document[0] for each in webhook.wait_for(2)}
    assert bodies["WHOLE"] == original
    envelope = bodies["ENVELOPE"]
    assert (envelope["eventType"], envelope["subject"], envelope["dataVersion"]) == ("made", "cup-1", "3")
    assert envelope["data"] == original


@pytest.mark.read_in_sdk("azure-mgmt-eventgrid 10.4.0: regenerateKey answers both keys")
def test_a_rotated_key_opens_and_the_old_one_does_not(emulator: Emulator) -> None:
    """key1 is replaced; key2 still works."""
    endpoint = emulator.topic("orders")
    keys = emulator.arm("POST", "/topics/orders/regenerateKey", {"keyName": "key1"}).json()
    assert emulator.publish(endpoint, [event()]).status_code == 401
    for key in keys.values():
        assert emulator.publish(endpoint, [event()], **{"aeg-sas-key": key}).status_code == 200


@pytest.mark.our_choice("a fault rule is the emulator's own feature")
@pytest.mark.parametrize("status", [429, 499])
def test_a_fault_rule_refuses_a_publish(emulator: Emulator, status: int) -> None:
    """The SDK sees the status that the rule names, once; also one that no standard has a name for."""
    endpoint = emulator.topic("orders")
    emulator.control(
        "POST", "/faults", {"match": {"operation": "publish", "topic": "orders"}, "act": {"status": status}, "times": 1}
    )
    with EventGridPublisherClient(endpoint, AzureKeyCredential(DEVELOPMENT_KEY), retry_total=0) as client:
        sent = EventGridEvent(subject="s", event_type="T", data={}, data_version="1")
        with pytest.raises(HttpResponseError) as refused:
            client.send(sent)
        assert refused.value.status_code == status
        client.send(sent)


@pytest.mark.our_choice("--accept-bearer: this emulator knows no identities, and SDKs send tokens over https only")
@pytest.mark.parametrize(("accept", "https", "status"), [(True, True, 200), (True, False, 401), (False, True, 401)])
def test_a_bearer_token_publishes_where_it_is_let(tmp_path: Path, accept: bool, https: bool, status: int) -> None:
    """Over https, when the emulator was told to take any."""
    bind = Bind(tls=server_context(tmp_path)) if https else Bind()
    with served(lambda: create(options=Options(accept_bearer=accept)), bind) as url:
        headers = {"authorization": "Bearer a.b.c"}
        trust = str(certificate_file(tmp_path)) if https else None
        answer = requests.post(f"{url}/api/events", json=[event()], headers=headers, verify=trust, timeout=30)
    assert answer.status_code == status
