"""Resources' bodies: whatever stands in the place of a member, the answer is ARM's, never a defect's 500."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulators.eventgrid.application import create
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.test_deadletters import ACCOUNT, letters_to
from tests.serving import served

SUBSCRIPTION: dict[str, Any] = {
    "destination": {
        "endpointType": "WebHook",
        "properties": {
            "endpointUrl": "http://127.0.0.1:1/",
            "maxEventsPerBatch": 1,
            "preferredBatchSizeInKilobytes": 64,
            "minimumTlsVersionAllowed": "1.2",
            "deliveryAttributeMappings": [
                {"name": "x", "type": "Static", "properties": {"value": "1", "isSecret": True}},
                {"name": "y", "type": "Dynamic", "properties": {"sourceField": "data.x"}},
            ],
        },
    },
    "filter": {
        "subjectBeginsWith": "a",
        "isSubjectCaseSensitive": True,
        "includedEventTypes": ["a"],
        "enableAdvancedFilteringOnArrays": True,
        "advancedFilters": [
            {"operatorType": "NumberInRange", "key": "data.a", "values": [[1, 2]]},
            {"operatorType": "BoolEquals", "key": "data.a", "value": True},
            {"operatorType": "StringIn", "key": "data.a", "values": ["x"]},
        ],
    },
    "labels": ["a"],
    "expirationTimeUtc": "2999-01-01T00:00:00Z",
    "eventDeliverySchema": "EventGridSchema",
    "retryPolicy": {"maxDeliveryAttempts": 3, "eventTimeToLiveInMinutes": 5},
    "deadLetterDestination": letters_to("dead"),
}
DELIVERY = {
    "deliveryMode": "Queue",
    "queue": {
        "receiveLockDurationInSeconds": 60,
        "maxDeliveryCount": 3,
        "eventTimeToLive": "PT1H",
        "deadLetterDestinationWithResourceIdentity": {"deadLetterDestination": letters_to("dead")},
    },
}
MAPPED = {"id": {"sourceField": "a"}, "eventType": {"sourceField": "b", "defaultValue": "c"}}
TOPIC = {
    "inputSchema": "CustomEventSchema",
    "inputSchemaMapping": {"inputSchemaMappingType": "Json", "properties": MAPPED},
    "disableLocalAuth": False,
    "publicNetworkAccess": "Enabled",
    "inboundIpRules": [{"ipMask": "10.0.0.0/8", "action": "Allow"}],
    "minimumTlsVersionAllowed": "1.2",
}
QUEUE = {"resourceId": ACCOUNT, "queueName": "queue", "queueMessageTimeToLiveInSeconds": 5}
FILTERS = [{"operatorType": "StringIn", "key": "data.x", "values": ["x"]}]
TRACKED = {"location": "here", "tags": {"a": "b"}, "identity": {"type": "None"}}
BODIES: dict[str, Any] = {
    "/topics/topic": {**TRACKED, "sku": {"name": "Basic"}, "properties": TOPIC},
    "/domains/domain": {**TRACKED, "properties": TOPIC},
    "/topics/orders/eventSubscriptions/webhook": {"properties": SUBSCRIPTION},
    "/topics/orders/eventSubscriptions/queue": {
        "properties": {"destination": {"endpointType": "StorageQueue", "properties": QUEUE}}
    },
    "/systemTopics/storage": {
        **TRACKED,
        "properties": {"source": ACCOUNT, "topicType": "Microsoft.Storage.StorageAccounts"},
    },
    "/namespaces/sales": {**TRACKED, "sku": {"name": "Standard", "capacity": 1}, "properties": {}},
    "/namespaces/sales/topics/orders": {"properties": {"publisherType": "Custom", "eventRetentionInDays": 1}},
    "/namespaces/sales/topics/orders/eventSubscriptions/pull": {
        "properties": {
            "deliveryConfiguration": DELIVERY,
            "filtersConfiguration": {"includedEventTypes": ["a"], "filters": FILTERS},
        }
    },
}
"""Each resource with most of what it may say, parents before children."""
ODD: list[Any] = [
    None, 5, -1, 1.5, 10**30, True, "", "x", "x" * 5000, "\r\n", "é\u2028", [], {}, [[]], [None], [5], ["x"], [{}],
    {"a": 1}, {"endpointType": 5},
]  # fmt: skip


def places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in `document` there is a value."""
    yield place
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, each in inner:
        yield from places(each, (*place, name))


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of `document` with another value at `place`."""
    if not place:
        return value
    changed = copy.deepcopy(document)
    owner = changed
    for step in place[:-1]:
        owner = owner[step]
    owner[place[-1]] = value
    return changed


CASES = [(path, place) for path, body in BODIES.items() for place in places(body)]


@pytest.fixture(scope="module")
def made() -> Iterator[Emulator]:
    """An emulator with one resource of each kind, as they should be."""
    with served(create) as url:
        emulator = Emulator(url)
        emulator.topic("orders")
        for path, body in BODIES.items():
            answer = emulator.arm("PUT", path, body)
            assert answer.status_code in (200, 201), answer.text
        yield emulator


@pytest.mark.our_choice("bad input gets an answer that names it; the service's own words are not known for most")
@example(
    case=("/topics/orders/eventSubscriptions/webhook", ("properties", "eventDeliverySchema")), odd=[], method="PUT"
)
@settings(deadline=None)  # each is two requests
@given(case=st.sampled_from(CASES), odd=st.sampled_from(ODD), method=st.sampled_from(["PUT", "PATCH"]))
def test_an_odd_value_is_taken_or_refused_in_arms_words(made: Emulator, case: Any, odd: Any, method: str) -> None:
    """Taken, 400 or 501 with a code and a message, and the resource can still be read."""
    path, place = case
    body = replaced(BODIES[path], place, odd)
    answer = made.arm(method, path, body)
    if answer.status_code not in (200, 201):
        assert answer.status_code in (400, 501), answer.text
        error = answer.json()["error"]
        assert error["code"]
        assert error["message"]
    assert made.arm("GET", path).status_code == 200
