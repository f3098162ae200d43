"""The Event Grid output binding, published to the Event Grid emulator and read where it delivers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.eventgrid.application import create
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.subscriber import Subscriber, subscriber
from tests.emulators.functions_host.running import RunningHost, running_host, write_app
from tests.serving import served

COLLECTOR = "azure-sdk-for-net Microsoft.Azure.WebJobs.Extensions.EventGrid EventGridAsyncCollector.cs"
OUTPUT = "learn.microsoft.com azure-functions functions-bindings-event-grid-output"

APP = """
import datetime, json
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
TOPIC = {"topic_endpoint_uri": "TopicUri", "topic_key_setting": "TopicKey"}

def made(number):
    return func.EventGridOutputEvent(id=number, subject="orders/update", event_type="Made", data_version="1.0",
                                     data={"n": number}, event_time=datetime.datetime(2026, 11, 23))

@app.route(route="one")
@app.event_grid_output(arg_name="event", **TOPIC)
async def One(req, event: func.Out[func.EventGridOutputEvent]):
    event.set(made("1"))
    return "sent"

@app.route(route="many")
@app.event_grid_output(arg_name="event", **TOPIC)
def Many(req, event: func.Out[func.EventGridOutputEvent]):
    event.set([made("1"), made("2")])
    return "sent"

@app.route(route="text", methods=["POST"])
@app.event_grid_output(arg_name="event", **TOPIC)
async def Text(req, event: func.Out[str]):
    event.set(req.get_body().decode())
    return "sent"

@app.route(route="fails")
@app.event_grid_output(arg_name="event", **TOPIC)
async def Fails(req, event: func.Out[func.EventGridOutputEvent]):
    event.set(made("1"))
    raise RuntimeError("after it was set")

@app.route(route="refused")
@app.event_grid_output(arg_name="event", topic_endpoint_uri="TopicUri", topic_key_setting="WrongKey")
async def Refused(req, event: func.Out[func.EventGridOutputEvent]):
    event.set(made("1"))
    return "sent"

@app.event_grid_trigger(arg_name="event")
@app.event_grid_output(arg_name="$return", **TOPIC)
async def Passes(event: func.EventGridEvent) -> str:
    return json.dumps({"id": event.id + "-next", "subject": "s", "eventType": "Next", "dataVersion": "1",
                       "eventTime": "2026-11-23T10:00:00Z", "data": {}})

@app.route(route="nothing")
@app.event_grid_output(arg_name="event", **TOPIC)
async def Nothing(req, event: func.Out[str]):
    return "sent"
"""


@pytest.fixture(scope="module")
def grid() -> Iterator[Emulator]:
    """An Event Grid emulator."""
    with served(create) as url:
        yield Emulator(url)


@pytest.fixture(scope="module")
def hook() -> Iterator[Subscriber]:
    """Who is subscribed to everything."""
    with subscriber() as one:
        yield one


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, grid: Emulator, hook: Subscriber) -> Iterator[RunningHost]:
    """A host that publishes to a topic of the Event Grid schema, whose events go to `hook`."""
    topic = grid.topic("made")
    grid.subscribe("made", "all", hook.url)
    values = {"TopicUri": topic, "TopicKey": DEVELOPMENT_KEY, "WrongKey": "d3Jvbmc="}
    with running_host(write_app(tmp_path_factory.mktemp("events"), APP, values=values)) as started:
        yield started


def delivered(hook: Subscriber, count: int, since: int) -> list[dict[str, Any]]:
    """`count` events that came after the first `since` deliveries."""
    return [event for each in hook.wait_for(since + count)[since:] for event in each.document]


@pytest.mark.documented(f"{OUTPUT}: EventGridOutputEvent")
@pytest.mark.parametrize(("path", "count"), [("one", 1), ("many", 2)])
def test_events_are_published_when_the_function_has_succeeded(
    host: RunningHost, hook: Subscriber, path: str, count: int
) -> None:
    """One event and a list of them arrive with all their members."""
    since = len(hook.deliveries())
    assert host.call("GET", f"/api/{path}").text == "sent"
    events = sorted(delivered(hook, count, since), key=lambda event: event["id"])
    assert [event["id"] for event in events] == [str(number + 1) for number in range(count)]
    assert {name: events[0][name] for name in ("subject", "eventType", "dataVersion", "data")} == {
        "subject": "orders/update",
        "eventType": "Made",
        "dataVersion": "1.0",
        "data": {"n": "1"},
    }


@pytest.mark.documented(f"{OUTPUT}: a return value")
def test_a_returned_event_is_published(host: RunningHost, hook: Subscriber) -> None:
    """`$return` of an Event Grid triggered function goes to the topic."""
    since = len(hook.deliveries())
    event = {"id": "9", "topic": "t", "subject": "s", "eventType": "T", "dataVersion": "1", "data": {}}
    event["eventTime"] = "2026-11-23T10:00:00Z"
    path = "/runtime/webhooks/eventgrid?functionName=Passes"
    assert host.call("POST", path, json=[event], headers={"aeg-event-type": "Notification"}).status_code == 202
    assert [event["id"] for event in delivered(hook, 1, since)] == ["9-next"]


@pytest.mark.read_in_sdk(f"{COLLECTOR}: FlushAsync")
def test_nothing_is_published_when_nothing_was_set_or_the_function_failed(host: RunningHost, hook: Subscriber) -> None:
    """What was set before an exception is dropped."""
    since = len(hook.deliveries())
    assert host.call("GET", "/api/fails").status_code == 500
    assert host.call("GET", "/api/nothing").text == "sent"
    assert host.call("GET", "/api/one").text == "sent"
    assert len(delivered(hook, 1, since)) == 1
    assert len(hook.deliveries()) == since + 1


@pytest.mark.read_in_sdk(f"{COLLECTOR}: a failed send fails the function")
def test_a_topic_that_refuses_fails_the_invocation(host: RunningHost) -> None:
    """The answer is 500, and the log has the topic's answer but never the key."""
    assert host.call("GET", "/api/refused").status_code == 500
    assert "answered 401" in host.until("PublishFailed")
    assert not [line for line in host.lines if "d3Jvbmc=" in line]


@pytest.mark.read_in_sdk(f"{COLLECTOR}: the first event's schema is that of all")
@pytest.mark.parametrize("body", ["not json", "[1]", '{"id": "1"}'])
def test_what_is_no_event_fails_the_invocation(host: RunningHost, body: str) -> None:
    """Text that is not JSON, not an object, or of neither schema."""
    assert host.call("POST", "/api/text", data=body).status_code == 500


@pytest.mark.read_in_sdk(f"{COLLECTOR}: CloudEvent.Parse when it is no EventGridEvent")
def test_cloud_events_go_to_a_topic_of_their_schema(tmp_path: Path, grid: Emulator) -> None:
    """They are sent as a CloudEvents batch."""
    topic = grid.topic("clouds", inputSchema="CloudEventSchemaV1_0")
    with subscriber() as cloud_hook:
        grid.subscribe("clouds", "all", cloud_hook.url, eventDeliverySchema="CloudEventSchemaV1_0")
        values = {"TopicUri": topic, "TopicKey": DEVELOPMENT_KEY, "WrongKey": "x"}
        with running_host(write_app(tmp_path, APP, values=values)) as host:
            event = {"specversion": "1.0", "id": "1", "source": "/here", "type": "Made", "data": {"n": 1}}
            assert host.call("POST", "/api/text", json=event).text == "sent"
            [request] = cloud_hook.wait_for(1)
            assert request.document == event | request.document
            assert "cloudevents" in request.headers["content-type"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('topic_endpoint_uri="TopicUri", topic_key_setting="None"', "'topicEndpointUri' and 'topicKeySetting'"),
        ('topic_endpoint_uri="Relative", topic_key_setting="Relative"', "must be a valid absolute Uri"),
        ('connection="Absent"', "The 'topicEndpointUri' was not specified in 'Absent'."),
    ],
)
@pytest.mark.read_in_sdk("azure-sdk-for-net EventGridAsyncCollectorFactory.cs: Validate")
def test_a_binding_without_a_topic_is_in_error(tmp_path: Path, arguments: str, reason: str) -> None:
    """What is missing is named."""
    source = f"""
import azure.functions as func
app = func.FunctionApp()

@app.route(route="x")
@app.event_grid_output(arg_name="event", {arguments})
async def X(req, event: func.Out[str]):
    return "x"
"""
    with running_host(write_app(tmp_path, source, values={"TopicUri": "http://t", "Relative": "/here"})) as host:
        assert reason in host.until("The 'X' function is in error:")
