"""Namespaces, their topics and queue subscriptions as ARM resources, and in the configuration file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.mgmt.eventgrid import EventGridManagementClient, models
from hypothesis import given
from hypothesis import strategies as st

from emulators.base.serving import Bind
from emulators.base.tls import certificate_file, server_context
from emulators.eventgrid import namespaces
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.namespaces.configuration import read_namespaces
from emulators.eventgrid.namespaces.durations import parse_duration
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.pulling import NAMESPACE, TOPIC, ids_of, provide, pulling
from tests.emulators.eventgrid.test_deadletters import letters_to
from tests.serving import served

MGMT = "azure-mgmt-eventgrid 10.4 (api 2025-02-15): namespaces, namespace_topics, namespace_topic_event_subscriptions"
FAR_FUTURE = 4_102_444_800
SUBSCRIPTIONS = TOPIC + "/eventSubscriptions"


class AnyIdentity:
    """A credential that this emulator believes."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """A token of the right shape."""
        return AccessToken("a.b.c", FAR_FUTURE)


@pytest.fixture
def management(tmp_path: Path) -> Iterator[Any]:
    """The management client; it insists on https."""
    with (
        served(create, Bind(tls=server_context(tmp_path))) as url,
        EventGridManagementClient(
            AnyIdentity(), "s1", base_url=url, connection_verify=str(certificate_file(tmp_path))
        ) as client,
    ):
        yield client


@pytest.mark.read_in_sdk(MGMT)
def test_the_management_client_makes_changes_and_deletes(management: Any) -> None:
    """Unmodified: create, get, list, update, keys, delete."""
    where = ("g1", "sales")
    namespace = models.Namespace(location="here", tags={"team": "a"}, sku=models.NamespaceSku(capacity=2))
    made = management.namespaces.begin_create_or_update(*where, namespace).result()
    assert (made.provisioning_state, made.sku.capacity, made.tags) == ("Succeeded", 2, {"team": "a"})
    management.namespaces.begin_update(*where, models.NamespaceUpdateParameters(tags={"team": "b"})).result()
    assert [each.tags for each in management.namespaces.list_by_resource_group("g1")] == [{"team": "b"}]
    keys = management.namespaces.list_shared_access_keys(*where)
    management.namespaces.begin_regenerate_key(*where, models.NamespaceRegenerateKeyRequest(key_name="key2")).result()
    assert management.namespaces.list_shared_access_keys(*where).key2 != keys.key2

    topics = management.namespace_topics
    topic = topics.begin_create_or_update(*where, "orders", models.NamespaceTopic(event_retention_in_days=2)).result()
    assert (topic.input_schema, topic.event_retention_in_days) == ("CloudEventSchemaV1_0", 2)
    assert [each.name for each in topics.list_by_namespace(*where)] == ["orders"]

    queue = models.QueueInfo(receive_lock_duration_in_seconds=120, max_delivery_count=3)
    subscription = models.Subscription(
        delivery_configuration=models.DeliveryConfiguration(delivery_mode="Queue", queue=queue),
        filters_configuration=models.FiltersConfiguration(
            included_event_types=["A"], filters=[models.StringInFilter(key="subject", values=["x"])]
        ),
    )
    subscriptions = management.namespace_topic_event_subscriptions
    subscriptions.begin_create_or_update(*where, "orders", "shipping", subscription).result()
    change = models.SubscriptionUpdateParameters(
        delivery_configuration=models.DeliveryConfiguration(queue=models.QueueInfo(max_delivery_count=4))
    )
    subscriptions.begin_update(*where, "orders", "shipping", change).result()
    (shown,) = subscriptions.list_by_namespace_topic(*where, "orders")
    kept = shown.delivery_configuration.queue
    assert (kept.receive_lock_duration_in_seconds, kept.max_delivery_count) == (120, 4)
    assert kept.event_time_to_live.days == 2
    assert shown.filters_configuration.filters[0].values == ["x"]

    subscriptions.begin_delete(*where, "orders", "shipping").result()
    topics.begin_delete(*where, "orders").result()
    management.namespaces.begin_delete(*where).result()
    assert not list(management.namespaces.list_by_subscription())


@pytest.mark.our_choice("what is not built says so by name")
@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (SUBSCRIPTIONS + "/push", {"properties": {"deliveryConfiguration": {"deliveryMode": "Push"}}}, "push"),
        (NAMESPACE, {"properties": {"topicSpacesConfiguration": {"state": "Enabled"}}}, "MQTT"),
        (NAMESPACE, {"properties": {"topicsConfiguration": {"customDomains": [{}]}}}, "custom domains"),
        (NAMESPACE, {"properties": {"inboundIpRules": [{"ipMask": "10.0.0.0/8"}]}}, "firewall"),
        (NAMESPACE + "/topicSpaces/one", {}, "topicSpaces"),
    ],
)
def test_what_is_not_built_is_501(emulator: Emulator, path: str, body: object, named: str) -> None:
    """Push delivery, MQTT, custom domains, a firewall."""
    provide(emulator)
    answer = emulator.arm("PUT", path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "NotImplemented")
    assert named in answer.json()["error"]["message"]


def queue_of(**settings: object) -> dict[str, Any]:
    """The body of a queue subscription."""
    return {"properties": {"deliveryConfiguration": {"deliveryMode": "Queue", "queue": settings}}}


@pytest.mark.documented(MGMT + ", models: limits of each property")
@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/namespaces/ab", {}, "namespace name"),
        (NAMESPACE, {"sku": {"capacity": 41}}, "sku.capacity"),
        (NAMESPACE, {"tags": {"a": 1}}, "tags"),
        (NAMESPACE, {"properties": []}, "properties"),
        (TOPIC, {"properties": {"eventRetentionInDays": 8}}, "eventRetentionInDays"),
        (TOPIC, {"properties": {"inputSchema": "EventGridSchema"}}, "inputSchema"),
        (TOPIC, {"properties": {"retention": 1}}, "properties.retention is not known"),
        (SUBSCRIPTIONS + "/a_b", queue_of(), "event subscription name"),
        (SUBSCRIPTIONS + "/one", {"properties": {}}, "deliveryMode"),
        (SUBSCRIPTIONS + "/one", queue_of(receiveLockDurationInSeconds=59), "receiveLockDurationInSeconds"),
        (SUBSCRIPTIONS + "/one", queue_of(receiveLockDurationInSeconds=301), "receiveLockDurationInSeconds"),
        (SUBSCRIPTIONS + "/one", queue_of(maxDeliveryCount=11), "maxDeliveryCount"),
        (SUBSCRIPTIONS + "/one", queue_of(eventTimeToLive="PT59S"), "eventTimeToLive"),
        (SUBSCRIPTIONS + "/one", queue_of(eventTimeToLive="P8D"), "P7D"),
        (SUBSCRIPTIONS + "/one", queue_of(lock=1), "queue.lock is not known"),
        (
            SUBSCRIPTIONS + "/one",
            {"properties": {**queue_of()["properties"], "filtersConfiguration": {"filters": [{"key": "x"}]}}},
            "filtersConfiguration.filters[0].operatorType",
        ),
    ],
)
def test_a_wrong_member_is_named(emulator: Emulator, path: str, body: object, says: str) -> None:
    """400 in ARM's shape."""
    provide(emulator)
    answer = emulator.arm("PUT", path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequest")
    assert says in answer.json()["error"]["message"]


@pytest.mark.read_in_sdk(MGMT)
def test_what_is_not_there_is_404(emulator: Emulator) -> None:
    """Also a topic whose namespace is missing; deleting it again is 204."""
    for method, path in (("GET", NAMESPACE), ("GET", TOPIC), ("PUT", TOPIC), ("PUT", SUBSCRIPTIONS + "/one")):
        answer = emulator.arm(method, path, queue_of() if method == "PUT" and "one" in path else {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert emulator.arm("DELETE", NAMESPACE).status_code == 204


@pytest.mark.our_choice("names make the endpoint, so they are unique")
def test_a_name_is_taken_once(emulator: Emulator) -> None:
    """In another resource group too."""
    provide(emulator)
    other = emulator.url + "/subscriptions/s1/resourceGroups/other/providers/Microsoft.EventGrid/namespaces/SALES"
    answer = put_elsewhere(other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "Conflict")


def put_elsewhere(url: str) -> Any:
    """A PUT of an empty namespace anywhere."""
    headers = {"authorization": "Bearer any"}
    return requests.put(url, params={"api-version": "2025-02-15"}, headers=headers, json={"location": "x"}, timeout=30)


@pytest.mark.our_choice("deleting takes everything below along")
def test_a_namespace_goes_with_everything_in_it(emulator: Emulator) -> None:
    """Made again, its queues are empty."""
    provide(emulator)
    with pulling(emulator) as sales:
        sales.publish("1", "2")
        assert emulator.arm("DELETE", NAMESPACE).status_code == 202
        provide(emulator)
        assert sales.backlog() == (0, 0, 0)
        sales.publish("3")
        assert ids_of(sales.receive()) == ["3"]
    emulator.control("POST", "/reset")
    assert emulator.control("GET", "/namespaces")["value"] == []


CONFIGURATION = """
[[namespaces]]
name = "sales"
[[namespaces.topics]]
name = "orders"
[[namespaces.topics.eventSubscriptions]]
name = "shipping"
properties.deliveryConfiguration = { deliveryMode = "Queue" }
"""


@pytest.mark.our_choice("--config is the emulator's own feature")
def test_a_configuration_file_provides_and_is_idempotent(tmp_path: Path) -> None:
    """A second start with the same data leaves what waits."""
    file = tmp_path / "eventgrid.toml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    options = Options(namespaces=read_namespaces(file))
    for start in (1, 2):
        with served(lambda: create(tmp_path, options=options)) as url, pulling(Emulator(url)) as sales:
            sales.publish(str(start))
            assert sales.backlog() == (start, 0, 0)


@pytest.mark.read_in_sdk("azure-core rest Serializer: durations as ISO 8601")
@given(st.integers(0, 6), st.integers(0, 23), st.integers(0, 59))
def test_durations_are_read_as_they_are_written(days: int, hours: int, minutes: int) -> None:
    """Each element counts, also when it is zero."""
    expected = days * 86_400 + hours * 3_600 + minutes * 60
    assert parse_duration(f"P{days}DT{hours}H{minutes}M0S") == expected
    assert parse_duration(f"PT{days * 24 + hours}H{minutes}M") == expected


@pytest.mark.our_choice("what is no duration is not guessed at")
@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "P1DT", "P1H", "PT1D", "P-1D", "p1d", "P1W1D", "PT1.S"])
def test_what_is_no_duration_is_none(text: str) -> None:
    """Nothing, half of one, or units in the wrong place."""
    assert parse_duration(text) is None


@pytest.mark.our_choice("http is refused by the SDK itself, before the emulator is asked")
def test_the_management_client_reports_arm_errors(management: Any) -> None:
    """A refusal reaches the caller with code and message."""
    with pytest.raises(HttpResponseError, match=r"sku\.capacity"):
        management.namespaces.begin_create_or_update(
            "g1", "sales", models.Namespace(location="x", sku=models.NamespaceSku(capacity=99))
        )


@pytest.mark.our_choice("what the README shows must work as it stands")
def test_the_readme_is_true(tmp_path: Path) -> None:
    """Its configuration and its program, but for the port."""
    text = (Path(namespaces.__file__).parent / "README.md").read_text(encoding="utf-8")
    configuration, program = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "eventgrid.toml"
    file.write_text(configuration, encoding="utf-8")
    with served(lambda: create(options=Options(namespaces=read_namespaces(file)))) as url:
        names: dict[str, Any] = {}
        exec(program.replace("http://127.0.0.1:6500", url), names)
        assert names["received"].event.data == {"order": "1"}
        assert Emulator(url).totals()["SuccessfulAcknowledgedEvents"] == 1


@pytest.mark.documented("azure-mgmt-eventgrid QueueInfo: no event lives longer than its topic's retention")
def test_a_retention_is_not_shortened_below_a_lifetime(emulator: Emulator) -> None:
    """The change is refused, naming the lifetime; without one, the subscription follows the topic."""
    provide(emulator, queue={"eventTimeToLive": "P5D"})
    shorter = {"properties": {"eventRetentionInDays": 2}}
    answer = emulator.arm("PATCH", TOPIC, shorter)
    assert answer.status_code == 400
    assert "eventTimeToLive" in answer.json()["error"]["message"]
    provide(emulator)
    assert emulator.arm("PATCH", TOPIC, shorter).status_code == 200
    shown = emulator.arm("GET", SUBSCRIPTIONS + "/shipping").json()["properties"]["deliveryConfiguration"]["queue"]
    assert shown["eventTimeToLive"] == "P2D"


@pytest.mark.our_choice("a start that does not fit what is kept is one clear line, not a traceback")
def test_a_start_with_another_storage_account_says_so(tmp_path: Path) -> None:
    """The subscription's dead letters have nowhere to go."""
    letters = {"deadLetterDestination": letters_to("dead")}
    with served(lambda: create(tmp_path)) as url:
        provide(Emulator(url), queue={"deadLetterDestinationWithResourceIdentity": letters})
    other = "AccountName=other;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/other;"
    line = [sys.executable, "-m", "emulators.eventgrid", "--port", "0", "--data", str(tmp_path), "--storage", other]
    outcome = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    assert outcome.returncode == 1
    assert "eventSubscriptions/shipping" in outcome.stderr.splitlines()[-1]
    assert "--storage" in outcome.stderr.splitlines()[-1]
