"""Updates, expirations, rates: what changes under way, and what goes on meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from emulators.eventgrid.application import Options, create
from tests.emulators.eventgrid.conftest import BEARER, Emulator, event
from tests.emulators.eventgrid.subscriber import Received, Reply, Subscriber, consent
from tests.emulators.eventgrid.test_command import CONFIGURATION, command
from tests.serving import served

PATH = "/topics/orders/eventSubscriptions/sub"


def refusing(request: Received) -> Reply | None:
    """Answer a handshake with 500."""
    return (500, {}, b"") if consent(request) else None


def state(emulator: Emulator) -> str:
    """The subscription's provisioning state."""
    return str(emulator.arm("GET", PATH).json()["properties"]["provisioningState"])


def to(webhook: Subscriber, **properties: Any) -> dict[str, Any]:
    """The body of an update to another webhook."""
    return {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": webhook.url}}, **properties}


@pytest.mark.our_choice("a failed update leaves what was there, as any failed ARM update does")
def test_a_failed_update_keeps_the_old_endpoint(emulator: Emulator, webhooks: Callable[[], Subscriber]) -> None:
    """What was published before, while and after is delivered there; the operation says that it failed."""
    old, new = webhooks(), webhooks()
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", old.url)
    new.handshake = refusing
    emulator.publish(endpoint, [event(id="before")])
    answer = emulator.arm("PATCH", PATH, to(new, labels=["new"]))
    emulator.publish(endpoint, [event(id="while")])

    def status() -> str:
        return str(requests.get(answer.headers["azure-asyncoperation"], headers=BEARER, timeout=30).json()["status"])

    emulator.until(lambda: status() == "Failed")
    assert state(emulator) == "Succeeded"
    emulator.publish(endpoint, [event(id="after")])
    assert {each.document[0]["id"] for each in old.wait_for(3)} == {"before", "while", "after"}
    shown = emulator.arm("GET", PATH).json()["properties"]
    assert shown["destination"]["properties"]["endpointBaseUrl"] == old.url
    assert (shown["labels"], new.deliveries()) == ([], [])


@pytest.mark.our_choice("nothing goes to an endpoint before it has agreed, and nothing waits for one that may not")
def test_the_old_endpoint_gets_events_until_the_new_one_agrees(
    emulator: Emulator, webhooks: Callable[[], Subscriber]
) -> None:
    """Then the new one gets them."""
    old, new = webhooks(), webhooks()
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", old.url)
    new.handshake = lambda request: (200, {}, b"") if consent(request) else None
    emulator.arm("PATCH", PATH, to(new))
    emulator.until(lambda: state(emulator) == "AwaitingManualAction")
    emulator.publish(endpoint, [event(id="1")])
    old.wait_for(1)
    new.handshake = consent
    emulator.arm("PATCH", PATH, to(new))
    emulator.until(lambda: state(emulator) == "Succeeded")
    emulator.publish(endpoint, [event(id="2")])
    assert new.wait_for(1)[0].document[0]["id"] == "2"


@pytest.mark.our_choice("an update survives a stop as anything else that was acknowledged")
def test_an_update_goes_on_after_a_restart(tmp_path: Path, webhooks: Callable[[], Subscriber]) -> None:
    """The new endpoint is asked again; the old one serves until then."""
    old, new = webhooks(), webhooks()
    new.handshake = lambda request: (new.released.wait(20), consent(request))[1]
    new.released.clear()
    with served(lambda: create(tmp_path)) as url:
        emulator = Emulator(url)
        emulator.topic("orders")
        emulator.subscribe("orders", "sub", old.url)
        emulator.arm("PATCH", PATH, to(new))
        assert state(emulator) == "Updating"
    new.released.set()
    with served(lambda: create(tmp_path)) as url:
        emulator = Emulator(url)
        emulator.until(lambda: state(emulator) == "Succeeded")
        emulator.publish(f"{url}/orders/api/events", [event()])
        new.wait_for(1)
    assert not old.deliveries()


@pytest.mark.documented("ARM reference: expirationTimeUtc; articles/event-grid: expired subscriptions are removed")
def test_a_subscription_goes_when_it_expires(emulator: Emulator, webhook: Subscriber) -> None:
    """With what waits for it; an update may move the moment."""
    soon = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - the emulator's clock starts at the real time
    endpoint = emulator.topic("orders")
    webhook.statuses = [500] * 9
    emulator.subscribe("orders", "sub", webhook.url, expirationTimeUtc=soon.isoformat())
    emulator.publish(endpoint, [event()])
    emulator.until(lambda: bool(emulator.attempts()))
    later = (soon + timedelta(hours=1)).isoformat()
    emulator.arm("PATCH", PATH, {"expirationTimeUtc": later})
    emulator.until(lambda: state(emulator) == "Succeeded")
    emulator.advance(3700)
    assert state(emulator) == "Succeeded"
    emulator.advance(3700)
    emulator.until(lambda: emulator.arm("GET", PATH).status_code == 404)
    emulator.until(lambda: not emulator.control("GET", "/events")["inFlight"])


@pytest.mark.documented("CloudEvents webhook specification 4.2: WebHook-Allowed-Rate is requests per minute")
def test_an_endpoint_gets_no_more_requests_than_it_allows(emulator: Emulator, webhook: Subscriber) -> None:
    """Two a minute: the second thirty seconds after the first."""
    webhook.handshake = lambda request: (
        (200, {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "2"}, b"") if consent(request) else None
    )
    endpoint = emulator.topic("orders", inputSchema="CloudEventSchemaV1_0")
    emulator.subscribe("orders", "sub", webhook.url)
    events = [{"id": str(each), "type": "T", "source": "/s", "specversion": "1.0"} for each in range(3)]
    batch = "application/cloudevents-batch+json"
    assert emulator.publish(endpoint, events, **{"content-type": batch}).status_code == 200
    for count in (1, 2):
        webhook.wait_for(count)
        emulator.until(lambda count=count: emulator.totals()["DeliverySuccessCount"] == count)  # type: ignore[misc]
        emulator.advance(28)
        assert len(webhook.deliveries()) == count
        emulator.advance(3)
    webhook.wait_for(3)


@pytest.mark.documented("articles/event-grid network-security: publicNetworkAccess, inboundIpRules")
@pytest.mark.parametrize(
    ("properties", "status"),
    [
        ({"publicNetworkAccess": "Enabled"}, 200),
        ({"publicNetworkAccess": "Disabled"}, 403),
        ({"inboundIpRules": [{"ipMask": "127.0.0.0/8", "action": "Allow"}]}, 200),
        ({"inboundIpRules": [{"ipMask": "10.0.0.0/8", "action": "Allow"}]}, 403),
    ],
)
def test_a_firewall_keeps_publishers_out(emulator: Emulator, properties: dict[str, Any], status: int) -> None:
    """403 for who comes from elsewhere, or over the public network where that is closed."""
    endpoint = emulator.topic("orders", **properties)
    assert emulator.publish(endpoint, [event()]).status_code == status


@pytest.mark.our_choice("--port 0 takes a free port, and only the emulator knows which")
def test_configured_subscriptions_can_be_validated_by_hand_on_any_port(tmp_path: Path, webhook: Subscriber) -> None:
    """The validation URL names the port that was taken."""
    webhook.handshake = lambda request: (200, {}, b"") if consent(request) else None
    file = tmp_path / "topics.toml"
    file.write_text(CONFIGURATION.format(url=webhook.url), encoding="utf-8")
    with command("--config", file) as process:
        assert process.stdout
        emulator = Emulator(process.stdout.readline().split()[1])
        emulator.until(lambda: bool(webhook.requests))
        assert webhook.requests[0].document[0]["data"]["validationUrl"].startswith(emulator.url)
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.our_choice("--config holds domains and system topics too")
def test_a_configuration_file_may_have_domains_and_system_topics(tmp_path: Path, webhook: Subscriber) -> None:
    """With topics and subscriptions of their own; a second start changes nothing."""
    endpoint = f'destination = {{ endpointType = "WebHook", properties = {{ endpointUrl = "{webhook.url}" }} }}'
    account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"
    file = tmp_path / "topics.toml"
    file.write_text(
        f"""
[[domains]]
name = "shop"
[[domains.eventSubscriptions]]
name = "of-all"
properties.{endpoint}
[[domains.topics]]
name = "north"
[[domains.topics.eventSubscriptions]]
name = "of-north"
properties.{endpoint}
[[systemTopics]]
name = "blobs"
properties = {{ source = "{account}", topicType = "Microsoft.Storage.StorageAccounts" }}
""",
        encoding="utf-8",
    )
    for start in (1, 2):
        with command("--config", file, "--data", tmp_path / "data") as process:
            assert process.stdout
            emulator = Emulator(process.stdout.readline().split()[1])
            kinds = {each["type"]: each for each in emulator.control("GET", "/topics")["value"]}
            assert "Microsoft.EventGrid/systemTopics" in kinds
            emulator.until(lambda: len(webhook.requests) - len(webhook.deliveries()) == 2)
            emulator.until(lambda: ready(emulator))  # noqa: B023 - called at once
            emulator.publish(f"{emulator.url}/shop/api/events", [event(topic="north")])
            webhook.wait_for(2 * start)
            process.terminate()
            process.communicate(timeout=60)
            assert process.returncode == 0


def ready(emulator: Emulator) -> bool:
    """Whether every subscription is provisioned."""
    subscriptions = [each for one in emulator.control("GET", "/topics")["value"] for each in one["eventSubscriptions"]]
    return all(each["properties"]["provisioningState"] == "Succeeded" for each in subscriptions)


@pytest.mark.our_choice("what was kept may not fit how the emulator is started now")
def test_another_storage_account_than_before_is_one_clear_line(tmp_path: Path, webhook: Subscriber) -> None:
    """Exit code 1 and what to do, not a traceback."""
    with served(lambda: create(tmp_path, options=Options())) as url:
        emulator = Emulator(url)
        emulator.topic("orders")
        account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"
        letters = {"endpointType": "StorageBlob", "properties": {"resourceId": account, "blobContainerName": "dead"}}
        emulator.subscribe("orders", "sub", webhook.url, deadLetterDestination=letters)
    other = "DefaultEndpointsProtocol=http;AccountName=other;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/other;"
    process: subprocess.Popen[str]
    with command("--data", tmp_path, "--storage", other) as process:
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (1, False)
    assert "devstoreaccount1" in errors.splitlines()[-1]


@pytest.mark.our_choice("names make the endpoint, whoever has taken them")
def test_a_configured_topic_whose_name_is_taken_by_a_domain_is_one_clear_line(tmp_path: Path) -> None:
    """A domain that ARM has made stays what it is."""
    with served(lambda: create(tmp_path / "data")) as url:
        assert Emulator(url).arm("PUT", "/domains/orders", {"location": "here"}).status_code == 201
    file = tmp_path / "topics.toml"
    file.write_text('[[topics]]\nname = "orders"\n', encoding="utf-8")
    with command("--config", file, "--data", tmp_path / "data") as process:
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (1, False)
    assert "A topic or domain named 'orders' exists" in errors.splitlines()[-1]
