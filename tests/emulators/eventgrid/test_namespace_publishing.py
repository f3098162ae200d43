"""Publishing CloudEvents to namespace topics: content modes, validation, keys, filters."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.eventgrid import EventGridPublisherClient
from hypothesis import given
from hypothesis import strategies as st

from emulators.eventgrid.errors import Refused
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.cloudevents import read_events
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.pulling import (
    NAMESPACE,
    TOPIC,
    Pulling,
    cloud_event,
    ids_of,
    post,
    provide,
    pulling,
)

HTTP_BINDING = "CloudEvents 1.0, HTTP protocol binding and JSON format"
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json; charset=utf-8"}
PUBLISH = "/topics/orders:publish"


def document(**changes: Any) -> dict[str, Any]:
    """A valid CloudEvent in JSON; a change to None takes a member out."""
    whole = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "OrderPlaced", "data": {"n": 1}, **changes}
    return {name: value for name, value in whole.items() if value is not ...}


@pytest.fixture
def sales(emulator: Emulator) -> Iterator[Pulling]:
    """A queue that takes everything."""
    provide(emulator)
    with pulling(emulator) as clients:
        yield clients


@pytest.mark.documented(HTTP_BINDING)
def test_structured_and_batched_events_are_kept_as_they_are(sales: Pulling) -> None:
    """Extensions, null data and base64 too; the answer is an empty object."""
    single = document(id="single", shop="north", data=None)
    answer = post(sales.emulator, PUBLISH, headers=STRUCTURED, data=orjson.dumps(single))
    assert (answer.status_code, answer.json()) == (200, {})
    many = [document(id="a", time="2026-11-23T10:00:00Z"), document(id="b", data=..., data_base64="AQI=")]
    assert post(sales.emulator, PUBLISH, headers=BATCH, data=orjson.dumps(many)).status_code == 200
    path = "/topics/orders/eventsubscriptions/shipping:receive"
    received = post(sales.emulator, path, params={"maxEvents": 10}).json()["value"]
    assert [each["event"] for each in received] == [single, *many]


@pytest.mark.documented(HTTP_BINDING)
@pytest.mark.parametrize(
    ("media_type", "body", "data"),
    [
        ("application/json", b'{"n": 1}', {"data": {"n": 1}}),
        ("application/vnd.shop+json", b"[1]", {"data": [1]}),
        ("application/octet-stream", b"\x00\x01", {"data_base64": "AAE="}),
        ("text/plain; charset=utf-8", b"hello", {"data_base64": base64.b64encode(b"hello").decode()}),
    ],
)
def test_binary_mode_becomes_structured(sales: Pulling, media_type: str, body: bytes, data: dict[str, Any]) -> None:
    """The ce-* headers are the attributes, percent-decoded; a body that is not JSON is kept in base64."""
    headers = {f"ce-{name}": f"{name}%20x" for name in ("id", "source", "type")} | {"ce-specversion": "1.0"}
    answer = post(sales.emulator, PUBLISH, headers={**headers, "content-type": media_type}, data=body)
    assert answer.status_code == 200
    path = "/topics/orders/eventsubscriptions/shipping:receive"
    (received,) = post(sales.emulator, path).json()["value"]
    assert received["event"] == {
        "specversion": "1.0",
        "id": "id x",
        "source": "source x",
        "type": "type x",
        "datacontenttype": media_type,
        **data,
    }


@pytest.mark.seen_on_azure("azure-sdk-for-go aznamespaces/client_test.go: \"'data' attribute is required\", 400")
def test_an_event_without_data_is_refused(sales: Pulling) -> None:
    """Whatever else is missing, this is said."""
    answer = post(sales.emulator, PUBLISH, headers=BATCH, data=b"[{}]")
    assert answer.status_code == 400
    assert "'data' attribute is required" in answer.json()["error"]["message"]


@pytest.mark.documented("CloudEvents 1.0: required attributes, their names and types")
@pytest.mark.parametrize(
    "wrong",
    [
        document(id=...),
        document(source=""),
        document(type=1),
        document(specversion="0.3"),
        document(time="yesterday"),
        document(Shop="north"),
        document(data_base64="AQI="),
        document(data=..., data_base64="?"),
        [],
    ],
    ids=str,
)
def test_what_is_no_cloud_event_is_refused(sales: Pulling, wrong: object) -> None:
    """With its whole batch: nothing is taken."""
    answer = post(sales.emulator, PUBLISH, headers=BATCH, data=orjson.dumps([document(), wrong]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ArgumentInvalid")
    assert sales.backlog() == (0, 0, 0)


@pytest.mark.documented("articles/event-grid quotas-limits: 1 MB, 1,000 events; 403 by the service's own description")
def test_what_is_too_large_is_refused(sales: Pulling) -> None:
    """A body over 1 MB is 403, also one that is not even read; over 1,000 events is 400."""
    for size in (limits.REQUEST_BYTES_MAX + 1, 3_000_000):
        assert post(sales.emulator, PUBLISH, headers=BATCH, data=b" " * size).status_code == 403
    thousand = orjson.dumps([document(id=str(at)) for at in range(limits.EVENTS_PER_REQUEST_MAX)])
    assert post(sales.emulator, PUBLISH, headers=BATCH, data=thousand).status_code == 200
    assert post(sales.emulator, PUBLISH, headers=BATCH, data=thousand[:-1] + b",1]").status_code == 400
    assert sales.backlog() == (limits.EVENTS_PER_REQUEST_MAX, 0, 0)


@pytest.mark.our_choice("the service's words for these are not known")
@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        (PUBLISH, {"api-version": "2018-01-01"}, 400),
        (PUBLISH, {"api-version": "2023-06-01-preview"}, 501),
        ("/topics/nowhere:publish", {}, 410),
        ("/nowhere/topics/orders:publish", {}, 410),
        ("/topics/orders/eventsubscriptions/nobody:receive", {}, 404),
        ("/topics/orders:subscribe", {}, 404),
    ],
)
def test_a_wrong_address_is_refused(sales: Pulling, path: str, params: dict[str, object], status: int) -> None:
    """Unknown version, a preview by name, a topic or subscription that is not there."""
    answer = post(sales.emulator, path, params=params, headers=STRUCTURED, data=orjson.dumps(document()))
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)


@pytest.mark.our_choice("CloudEvents over HTTP have one content type or ce-* headers")
def test_another_content_type_is_refused(sales: Pulling) -> None:
    """415 says which there are."""
    answer = post(sales.emulator, PUBLISH, headers={"content-type": "application/json"}, data=b"{}")
    assert answer.status_code == 415
    assert "application/cloudevents+json" in answer.json()["error"]["message"]


@pytest.mark.read_in_sdk("azure-eventgrid 4.22 _configuration: Authorization: SharedAccessKey {key}")
def test_only_a_key_opens(sales: Pulling) -> None:
    """The namespace's or the topic's, either of both, until it is regenerated."""
    emulator = sales.emulator
    for headers in (
        {"authorization": ""},
        {"authorization": "SharedAccessKey wrong"},
        {"authorization": "Bearer a.b.c"},
    ):
        assert post(emulator, PUBLISH, headers=headers, json=[]).status_code == 401
    for path in (NAMESPACE, TOPIC):
        before = emulator.arm("POST", path + "/listKeys").json()
        after = emulator.arm("POST", path + "/regenerateKey", {"keyName": "key1"}).json()
        assert after["key2"] == before["key2"]
        key = AzureKeyCredential(after["key1"])
        with EventGridPublisherClient(emulator.url, key, namespace_topic="orders") as publisher:
            publisher.send(cloud_event(path))
    with pytest.raises(ClientAuthenticationError):
        sales.publish("1")
    assert sales.backlog() == (2, 0, 0)


@pytest.mark.our_choice("on Azure the host says which namespace; here the path may")
def test_the_path_may_name_the_namespace(sales: Pulling, emulator: Emulator) -> None:
    """It must, once two namespaces have a topic of one name."""
    hostname = emulator.arm("GET", NAMESPACE).json()["properties"]["topicsConfiguration"]["hostname"]
    assert hostname == emulator.url.partition("://")[2] + "/sales"
    for path in ("/namespaces/other", "/namespaces/other/topics/orders"):
        assert emulator.arm("PUT", path, {"location": "here"}).status_code == 201
    with pytest.raises(HttpResponseError, match="Several namespaces"):
        sales.publish("1")
    key = AzureKeyCredential(emulator.arm("POST", NAMESPACE + "/listKeys").json()["key1"])
    with EventGridPublisherClient(f"http://{hostname}", key, namespace_topic="orders") as publisher:
        publisher.send(cloud_event("2"))
    assert sales.backlog() == (1, 0, 0)


@pytest.mark.documented(
    "articles/event-grid concepts-event-grid-namespaces: {namespace}.{region}-1.eventgrid.azure.net"
)
def test_the_host_may_name_the_namespace(sales: Pulling, emulator: Emulator) -> None:
    """As on Azure; a namespace without that topic is not searched further."""
    for path in ("/namespaces/other", "/namespaces/other/topics/orders", "/namespaces/empty"):
        assert emulator.arm("PUT", path, {"location": "here"}).status_code == 201
    for host, status in (("sales.here-1.eventgrid.azure.net", 200), ("empty.here-1.eventgrid.azure.net", 410)):
        headers = {**STRUCTURED, "host": host}
        assert post(emulator, PUBLISH, headers=headers, data=orjson.dumps(document())).status_code == status
    assert sales.backlog() == (1, 0, 0)


@pytest.mark.documented("articles/event-grid namespace event filtering: included types and the advanced operators")
def test_filters_choose_events(emulator: Emulator) -> None:
    """By type and by what is inside; filters are joined by AND."""
    provide(
        emulator,
        filtersConfiguration={
            "includedEventTypes": ["OrderPlaced"],
            "filters": [
                {"operatorType": "NumberGreaterThan", "key": "data.total", "value": 10},
                {"operatorType": "StringBeginsWith", "key": "subject", "values": ["eu/"]},
            ],
        },
    )
    with pulling(emulator) as sales:
        sales.publish("1", data={"total": 11}, subject="eu/at")
        sales.publish("2", data={"total": 10}, subject="eu/at")
        sales.publish("3", data={"total": 11}, subject="us/ny")
        sales.publish("4", data={"total": 11}, subject="eu/at", type="OrderShipped")
        assert ids_of(sales.receive()) == ["1"]
        assert emulator.totals()["UnmatchedEventCount"] == 3


@pytest.mark.our_choice("fault rules reach every operation of the data plane (docs/FAULTS.md)")
def test_a_fault_rule_refuses_a_receive(sales: Pulling) -> None:
    """Once, with its status; the clients' own retry gets through."""
    rule = {"match": {"operation": "receive", "topic": "orders"}, "act": {"status": 503}, "times": 1}
    sales.emulator.control("POST", "/faults", rule)
    sales.publish("1")
    path = "/topics/orders/eventsubscriptions/shipping:receive"
    assert post(sales.emulator, path).status_code == 503
    assert ids_of(sales.receive()) == ["1"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
members = st.sampled_from(["id", "source", "type", "specversion", "data", "data_base64", "time", "subject", "Bad"])
candidates = st.dictionaries(members, json_values | st.just("1.0"), max_size=9) | json_values


@pytest.mark.documented(HTTP_BINDING)
@given(content=candidates | st.lists(candidates, max_size=3), batched=st.booleans())
def test_any_body_is_read_or_refused(content: object, batched: bool) -> None:
    """Nothing else can happen, and what is read has what CloudEvents demands."""
    try:
        events = read_events(BATCH if batched else STRUCTURED, orjson.dumps(content))
    except Refused:
        return
    for event in events:
        whole = event.document
        assert all(whole[name] for name in ("id", "source", "type"))
        assert whole["specversion"] == "1.0"
        assert {"data", "data_base64"} & set(whole)
