"""Topics and event subscriptions as ARM resources."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from emulators.base.serving import Application, Request
from emulators.eventgrid.application import create
from emulators.eventgrid.destinations import Whereabouts
from emulators.eventgrid.schemas import Schema
from emulators.eventgrid.subscriptions import Surroundings, parse_properties
from emulators.eventgrid.transport import Incoming, Outgoing
from tests.emulators.eventgrid.conftest import ARM, VERSION, Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber, consent

MGMT = "azure-mgmt-eventgrid 10.4.0 models and operations (api 2025-02-15)"
SCOPED = "/topics/orders/providers/Microsoft.EventGrid/eventSubscriptions"
NESTED = "/topics/orders/eventSubscriptions"


@pytest.mark.read_in_sdk(MGMT)
def test_a_topic_lives_and_dies(emulator: Emulator) -> None:
    """201 on PUT, the same again; both keys; listed by group and subscription; gone after 202."""
    for _ in range(2):
        emulator.topic("orders")
    shown = emulator.arm("GET", "/topics/orders").json()
    assert shown["properties"]["provisioningState"] == "Succeeded"
    assert set(emulator.arm("POST", "/topics/orders/listKeys").json()) == {"key1", "key2"}
    assert [each["name"] for each in emulator.arm("GET", "/topics").json()["value"]] == ["orders"]
    assert emulator.arm("DELETE", "/topics/orders").status_code == 202
    assert emulator.arm("GET", "/topics/orders").json()["error"]["code"] == "ResourceNotFound"
    assert emulator.arm("DELETE", "/topics/orders").status_code == 204


@pytest.mark.read_in_sdk(MGMT)
def test_a_subscription_is_one_resource_in_both_forms(emulator: Emulator, webhook: Subscriber) -> None:
    """The query of the endpoint is shown by getFullUrl only."""
    emulator.topic("orders")
    secret = webhook.url + "?code=s3cret"
    emulator.subscribe("orders", "sub", secret, filter={"includedEventTypes": ["A"]})
    for form in (SCOPED, NESTED):
        shown = emulator.arm("GET", f"{form}/sub")
        assert "s3cret" not in shown.text
        assert shown.json()["properties"]["destination"]["properties"]["endpointBaseUrl"] == webhook.url
        assert emulator.arm("POST", f"{form}/sub/getFullUrl").json() == {"endpointUrl": secret}
        assert [each["name"] for each in emulator.arm("GET", form).json()["value"]] == ["sub"]


@pytest.mark.read_in_sdk(MGMT)
def test_a_patch_changes_what_it_names(emulator: Emulator, webhook: Subscriber) -> None:
    """The rest stays, the destination with its secret too."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    answer = emulator.arm("PATCH", f"{SCOPED}/sub", {"filter": {"includedEventTypes": ["Wanted"]}, "labels": ["x"]})
    assert answer.status_code == 201
    emulator.until(
        lambda: emulator.arm("GET", f"{SCOPED}/sub").json()["properties"]["provisioningState"] == "Succeeded"
    )
    emulator.publish(endpoint, [event(id="1"), event(id="2", eventType="Wanted")])
    assert [each.document[0]["id"] for each in webhook.wait_for(1)] == ["2"]


@pytest.mark.our_choice("properties that are no object are refused on every way in")
@pytest.mark.parametrize("properties", [[1], "x"])
def test_a_patch_of_something_else_is_refused(emulator: Emulator, webhook: Subscriber, properties: object) -> None:
    """400, as for a PUT; null is as good as nothing."""
    emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    refused = emulator.arm("PATCH", f"{SCOPED}/sub", {"properties": properties})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidRequest")
    assert emulator.arm("PATCH", f"{SCOPED}/sub", {"properties": None}).status_code == 201


def with_identity(url: str) -> dict[str, Any]:
    """A webhook in the form that names an identity."""
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": url}}
    return {"deliveryWithResourceIdentity": {"identity": {"type": "SystemAssigned"}, "destination": destination}}


@pytest.mark.read_in_sdk(MGMT + ": destination and delivery_with_resource_identity")
def test_a_destination_may_name_an_identity(emulator: Emulator, webhook: Subscriber) -> None:
    """Its secrets are hidden in that form too, and the destination that was named last holds."""
    emulator.topic("orders")
    path = f"{SCOPED}/sub"

    def shown() -> dict[str, Any]:
        answer = emulator.arm("GET", path)
        assert "s3cret" not in answer.text
        properties: dict[str, Any] = answer.json()["properties"]
        return properties

    def url() -> str:
        return str(emulator.arm("POST", path + "/getFullUrl").json()["endpointUrl"])

    first, second, third = (f"{webhook.url}/{each}?code=s3cret" for each in "123")
    assert emulator.arm("PUT", path, {"properties": with_identity(first)}).status_code == 201
    named = shown()["deliveryWithResourceIdentity"]
    assert named["identity"] == {"type": "SystemAssigned"}
    assert named["destination"]["properties"]["endpointBaseUrl"] == f"{webhook.url}/1"
    assert url() == first
    plain = {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": second}}}
    assert emulator.arm("PATCH", path, plain).status_code == 201
    assert url() == second
    assert shown()["deliveryWithResourceIdentity"]["destination"] == shown()["destination"]
    assert emulator.arm("PATCH", path, with_identity(third)).status_code == 201
    assert url() == third


@pytest.mark.documented("ARM reference: expirationTimeUtc is a time in UTC")
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process can be set on POSIX only")
def test_an_expiration_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the emulator runs."""
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": "http://127.0.0.1:1/"}}
    around = Surroundings(Schema.EVENT_GRID, Whereabouts(functions_host="", storage_account=""))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        moments = {
            parse_properties(
                {"destination": destination, "expirationTimeUtc": f"2026-11-23T10:00:00{zone}"}, around
            ).settings.expires
            for zone in ("", "Z", "+00:00")
        }
    finally:
        monkeypatch.undo()
        time.tzset()
    assert len(moments) == 1


@pytest.mark.read_in_sdk(MGMT + "; azure-core polls Azure-AsyncOperation")
def test_a_failed_handshake_ends_the_operation_with_its_error(emulator: Emulator, webhook: Subscriber) -> None:
    """The operation's status says `Url validation`."""
    webhook.handshake = lambda request: (500, {}, b"") if consent(request) else None
    emulator.topic("orders")
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": webhook.url}}
    answer = emulator.arm("PUT", f"{SCOPED}/sub", {"properties": {"destination": destination}})
    address, bearer = answer.headers["azure-asyncoperation"], {"authorization": "Bearer x"}

    def status() -> Any:
        return requests.get(address, headers=bearer, timeout=30).json()

    emulator.until(lambda: status()["status"] == "Failed")
    assert status()["error"]["code"] == "Url validation"


@pytest.mark.documented("Azure Resource Manager's common error responses")
def test_arm_wants_a_token_a_version_and_a_known_path(emulator: Emulator) -> None:
    """401, 400, 404, 405 in ARM's error body; what Event Grid has and this emulator has not is 501 by name."""
    topic = emulator.url + ARM + "/topics/orders"
    assert requests.get(topic, params=VERSION, timeout=30).status_code == 401
    missing = requests.get(topic, headers={"authorization": "Bearer x"}, timeout=30)
    assert missing.json()["error"]["code"] == "MissingApiVersionParameter"
    other = requests.get(topic, params={"api-version": "latest"}, headers={"authorization": "Bearer x"}, timeout=30)
    assert (other.status_code, other.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
    deep = orjson.loads("[" * 300 + "]" * 300)
    nested = emulator.arm("PUT", "/topics/orders", {"properties": {"eventTypeInfo": {"a": deep}}})
    assert (nested.status_code, nested.json()["error"]["code"]) == (400, "InvalidRequestContent")
    assert emulator.arm("POST", "/topics/orders").status_code == 405
    subscription = "/partnerTopics/p/eventSubscriptions/sub"
    for method, path in (
        ("PUT", "/partnerTopics/p"), ("GET", subscription), ("DELETE", subscription),
        ("GET", "/partnerTopics/p/eventSubscriptions"),
    ):  # fmt: skip
        partner = emulator.arm(method, path, {})
        assert (partner.status_code, "partnerTopics/p" in partner.json()["error"]["message"]) == (501, True)


@pytest.mark.documented("articles/event-grid troubleshoot-errors, delivery-and-retry")
@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"destination": None}, 400, "destination is required"),
        ({"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": "ftp://x"}}}, 400, "endpointUrl"),
        ({"destination": {"endpointType": "EventHub", "properties": {}}}, 400, "resourceId"),
        ({"destination": {"endpointType": "Pigeon", "properties": {}}}, 400, "Pigeon"),
        ({"retryPolicy": {"maxDeliveryAttempts": 31}}, 400, "maxDeliveryAttempts"),
        ({"retryPolicy": {"eventTimeToLiveInMinutes": 0}}, 400, "eventTimeToLiveInMinutes"),
        ({"eventDeliverySchema": "CustomInputSchema"}, 400, "eventDeliverySchema"),
        ({"expirationTimeUtc": "soon"}, 400, "expirationTimeUtc"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_a_wrong_property_is_named(emulator: Emulator, changes: dict[str, Any], status: int, says: str) -> None:
    """Nothing is created."""
    emulator.topic("orders")
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": "http://127.0.0.1:1/"}}
    properties = {name: each for name, each in ({"destination": destination} | changes).items() if each is not None}
    answer = emulator.arm("PUT", f"{SCOPED}/sub", {"properties": properties})
    assert (answer.status_code, says in answer.json()["error"]["message"]) == (status, True)
    assert emulator.arm("GET", f"{SCOPED}/sub").status_code == 404


@pytest.mark.our_choice("reset is the emulator's own feature")
def test_reset_leaves_the_default_topic(emulator: Emulator, webhook: Subscriber) -> None:
    """/api/events is there from the start and after a reset; everything else is gone."""
    emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    emulator.control("POST", "/reset")
    assert emulator.publish(emulator.url + "/api/events", [event()]).status_code == 200
    assert emulator.arm("GET", "/topics/orders").status_code == 404
    (default,) = emulator.control("GET", "/topics")["value"]
    assert (default["name"], default["eventSubscriptions"]) == ("default", [])


class Consenting:
    """A transport whose every subscriber agrees."""

    async def send(self, request: Outgoing) -> Incoming:
        """Repeat the validation code."""
        code = orjson.loads(request.body)[0]["data"].get("validationCode")
        return Incoming(200, orjson.dumps({"validationResponse": code}))

    async def close(self) -> None:
        """Nothing to let go of."""


@pytest.mark.our_choice("a topic's subscriptions go with it, also those that are just being made")
async def test_a_topic_leaves_no_subscription_behind(tmp_path: Path) -> None:
    """Whatever the requests' order, the next start reads what was kept."""

    async def call(app: Application, method: str, path: str, properties: object = None) -> int:
        headers = {"authorization": "Bearer x", "host": "h"}
        body = orjson.dumps({"properties": properties or {}})
        answer = await app.handle(Request(method, f"{ARM}{path}?api-version=2025-02-15", headers, body))
        return answer.status

    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": "http://127.0.0.1:1/"}}
    for head_start in range(12):
        app = create(tmp_path / str(head_start), transport=Consenting())
        await app.open()
        assert await call(app, "PUT", "/topics/orders") == 201
        assert await call(app, "PUT", f"{SCOPED}/one", {"destination": destination}) == 201
        deleting = asyncio.create_task(call(app, "DELETE", "/topics/orders"))
        for _ in range(head_start):
            await asyncio.sleep(0)
        made = await call(app, "PUT", f"{SCOPED}/two", {"destination": destination})
        assert (await deleting, made in (201, 404)) == (202, True)
        for _ in range(5):
            await asyncio.sleep(0)
        await app.close()
        again = create(tmp_path / str(head_start), transport=Consenting())
        await again.open()
        assert await call(again, "GET", "/topics/orders") == 404
        await again.close()
