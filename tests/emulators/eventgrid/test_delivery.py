"""Delivery: headers, retries on the schedule, what is never retried, lanes apart, durability."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from emulators.eventgrid import limits
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.delivery import Answer, Done, GiveUp, Retry, after_attempt
from tests.emulators.eventgrid.conftest import Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber
from tests.serving import served

RETRY = "articles/event-grid delivery-and-retry"


@pytest.mark.seen_on_azure("captures of Logic Apps runs and an AZ-220 lab: headers of deliveries")
def test_a_delivery_says_what_it_is_in_its_headers(emulator: Emulator, webhook: Subscriber) -> None:
    """The subscription's name in capitals, and a delivery count that starts at 0."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "my-sub", webhook.url)
    emulator.publish(endpoint, [event()])
    (delivery,) = webhook.wait_for(1)
    said = {name: value for name, value in delivery.headers.items() if name.startswith("aeg-")}
    assert said == {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "MY-SUB",
        "aeg-delivery-count": "0",
        "aeg-data-version": "1.0",
        "aeg-metadata-version": "1",
    }
    assert delivery.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.our_choice("docs delivery-properties drop what no header can hold; the same is done for aeg-data-version")
def test_a_data_version_that_no_header_can_hold_is_left_out_of_it(emulator: Emulator, webhook: Subscriber) -> None:
    """The event arrives with it; the header is empty."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    for version in ("1\r\nx: y", "\u00fc", "1" * 5000):
        emulator.publish(endpoint, [event(dataVersion=version)])
    deliveries = webhook.wait_for(3)
    assert {each.document[0]["dataVersion"] for each in deliveries} == {"1\r\nx: y", "\u00fc", "1" * 5000}
    assert [each.headers["aeg-data-version"] for each in deliveries] == ["", "", ""]


@pytest.mark.documented(RETRY)
def test_a_failing_delivery_is_tried_again_on_the_schedule(emulator: Emulator, webhook: Subscriber) -> None:
    """Not before ten seconds have gone by on the clock, then with the count raised."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [500, 503]
    emulator.subscribe("orders", "sub", webhook.url)
    emulator.publish(endpoint, [event()])
    for attempt, wait in enumerate((10, 30), 1):
        webhook.wait_for(attempt)
        emulator.until(lambda attempt=attempt: len(emulator.attempts()) == attempt)  # type: ignore[misc]
        emulator.advance(wait - 1)
        assert len(webhook.deliveries()) == attempt
        emulator.advance(wait * limits.RETRY_JITTER + 2)
    counts = [each.headers["aeg-delivery-count"] for each in webhook.wait_for(3)]
    assert counts == ["0", "1", "2"]
    emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)


@pytest.mark.documented(RETRY)
def test_the_table_of_what_follows_an_answer() -> None:
    """Success is 200 to 204 only; some codes end it at once; others wait for at least their time."""

    def following(status: int | None, *, attempts: int = 1, azure: bool = False) -> object:
        answer = Answer(status, "" if status else "SocketError")
        return after_attempt(answer, attempts=attempts, attempts_max=30, to_azure=azure, dice=0.0)

    assert all(following(status) == Done() for status in (200, 201, 202, 203, 204))
    assert following(400) == GiveUp("UndeliverableDueToHttpBadRequest")
    for status, azure in ((413, False), (401, False), (403, False), (400, True), (413, True), (403, True)):
        assert isinstance(following(status, azure=azure), GiveUp)
    waits = {206: 10, 302: 10, 500: 10, 404: 300, 408: 120, 503: 30, None: 10}
    assert {status: following(status) for status in waits} == {each: Retry(wait) for each, wait in waits.items()}
    assert following(401, azure=True) == Retry(300)
    later = [following(500, attempts=each) for each in range(1, 12)]
    assert later == [Retry(each) for each in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 43200)]
    assert following(500, attempts=30) == GiveUp("MaxDeliveryAttemptsExceeded")


@pytest.mark.documented(RETRY)
def test_a_webhook_that_refuses_gets_an_event_once(emulator: Emulator, webhook: Subscriber) -> None:
    """400 is never retried; without a place for dead letters the event is dropped and counted."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [400]
    emulator.subscribe("orders", "sub", webhook.url)
    emulator.publish(endpoint, [event()])
    webhook.wait_for(1)
    emulator.until(lambda: emulator.totals()["DroppedEventCount"] == 1)
    (ended,) = emulator.control("GET", "/events")["finished"]
    assert (ended["result"], ended["attempts"][0]["status"]) == ("UndeliverableDueToHttpBadRequest", 400)


@pytest.mark.documented(RETRY)
def test_an_event_that_outlives_its_time_is_not_tried_again(emulator: Emulator, webhook: Subscriber) -> None:
    """Time to live is looked at when the next attempt is due."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [404] * 3
    emulator.subscribe("orders", "sub", webhook.url, retryPolicy={"eventTimeToLiveInMinutes": 1})
    emulator.publish(endpoint, [event()])
    webhook.wait_for(1)
    emulator.until(lambda: len(emulator.attempts()) == 1)
    emulator.advance(400)
    emulator.until(lambda: emulator.totals()["DroppedEventCount"] == 1)
    assert len(webhook.deliveries()) == 1


@pytest.mark.our_choice("one lane per subscription: nobody waits for somebody else's endpoint")
def test_a_hanging_subscriber_delays_no_other(emulator: Emulator, webhooks: Callable[[], Subscriber]) -> None:
    """All events reach one subscriber while another has not answered any."""
    endpoint = emulator.topic("orders")
    hanging, other = webhooks(), webhooks()
    hanging.released.clear()
    emulator.subscribe("orders", "hanging", hanging.url)
    emulator.subscribe("orders", "other", other.url)
    count = 3 * limits.CONCURRENT_DELIVERIES_MAX
    emulator.publish(endpoint, [event(id=str(each)) for each in range(count)])
    got = {each.document[0]["id"] for each in other.wait_for(count)}
    assert len(got) == count
    assert len(hanging.wait_for(limits.CONCURRENT_DELIVERIES_MAX)) == limits.CONCURRENT_DELIVERIES_MAX
    hanging.released.set()
    hanging.wait_for(count)


@pytest.mark.documented(RETRY)
def test_an_endpoint_that_keeps_failing_is_put_aside(emulator: Emulator, webhook: Subscriber) -> None:
    """After ten failing events a new one waits for the probation's end, then comes alone."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [500] * limits.FAILURES_BEFORE_PROBATION
    emulator.subscribe("orders", "sub", webhook.url)
    emulator.publish(endpoint, [event(id=str(each)) for each in range(limits.FAILURES_BEFORE_PROBATION)])
    emulator.until(lambda: len(emulator.attempts()) == limits.FAILURES_BEFORE_PROBATION)
    emulator.publish(endpoint, [event(id="new")])
    emulator.advance(limits.PROBATION_OTHER_SECONDS - 1)
    assert len(webhook.deliveries()) == limits.FAILURES_BEFORE_PROBATION
    emulator.advance(15)
    webhook.wait_for(2 * limits.FAILURES_BEFORE_PROBATION + 1)


@pytest.mark.documented(RETRY)
def test_batches_hold_what_waits_up_to_their_limits(emulator: Emulator, webhook: Subscriber) -> None:
    """Five events with three a batch are two requests; a batch fails and comes again as a whole."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [500]
    emulator.subscribe("orders", "sub", webhook.url, webhook={"maxEventsPerBatch": 3})
    emulator.publish(endpoint, [event(id=str(each)) for each in range(5)])
    assert sorted(len(each.document) for each in webhook.wait_for(2)) == [2, 3]
    emulator.until(lambda: len(emulator.attempts()) in (2, 3))
    emulator.advance(12)
    third = webhook.wait_for(3)[2].document
    assert len(third) in (2, 3)
    emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 5)


@pytest.mark.documented(RETRY + ": preferredBatchSizeInKilobytes")
def test_a_batch_keeps_to_its_preferred_size(emulator: Emulator, webhook: Subscriber) -> None:
    """Three events of 30 KB are two requests of at most 64 KB; one that is larger alone goes alone."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url, webhook={"maxEventsPerBatch": 10})
    emulator.publish(
        endpoint, [event(id=str(each), data="x" * size) for each, size in enumerate([30_000] * 3 + [90_000])]
    )
    batches = [[each["id"] for each in delivery.document] for delivery in webhook.wait_for(3)]
    assert sorted(batches) == [["0", "1"], ["2"], ["3"]]


@pytest.mark.documented("articles/event-grid delivery-properties")
def test_delivery_attributes_are_headers(emulator: Emulator, webhook: Subscriber) -> None:
    """Constant and from the event; secrets are hidden but for getDeliveryAttributes."""
    endpoint = emulator.topic("orders")
    mappings = [
        {"name": "x-token", "type": "Static", "properties": {"value": "s3cret", "isSecret": True}},
        {"name": "x-order", "type": "Dynamic", "properties": {"sourceField": "data.orderId"}},
        {"name": "x-none", "type": "Dynamic", "properties": {"sourceField": "data.nothing"}},
    ]
    emulator.subscribe("orders", "sub", webhook.url, webhook={"deliveryAttributeMappings": mappings})
    emulator.publish(endpoint, [event()])
    headers = webhook.wait_for(1)[0].headers
    assert (headers["x-token"], headers["x-order"], "x-none" in headers) == ("s3cret", "o-1", False)
    path = "/topics/orders/providers/Microsoft.EventGrid/eventSubscriptions/sub"
    assert "s3cret" not in emulator.arm("GET", path).text
    assert "s3cret" in emulator.arm("POST", path + "/getDeliveryAttributes").text


@pytest.mark.our_choice("fault rules are the emulator's own feature")
@pytest.mark.parametrize(("act", "count"), [({"duplicate": 2}, 3), ({"drop": "after"}, 2), ({"holdSeconds": 30}, 1)])
def test_fault_rules_trouble_deliveries(
    emulator: Emulator, webhook: Subscriber, act: dict[str, object], count: int
) -> None:
    """A duplicate comes at once, a lost answer comes again, a held event comes when its time has come."""
    endpoint = emulator.topic("orders")
    emulator.subscribe("orders", "sub", webhook.url)
    rule = {"match": {"operation": "delivery", "subscription": "sub"}, "act": act, "times": 1}
    emulator.control("POST", "/faults", rule)
    emulator.publish(endpoint, [event()])
    emulator.until(lambda: emulator.control("GET", "/faults")["rules"][0]["fired"] == 1)
    if "duplicate" not in act:
        emulator.until(lambda: bool(emulator.control("GET", "/events")["inFlight"]))
        emulator.until(lambda: "drop" not in act or len(emulator.attempts()) == 1)
        emulator.advance(31)
    assert {each.document[0]["id"] for each in webhook.wait_for(count)} == {"1"}
    emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)


@pytest.mark.our_choice("a 200 is a promise: what was accepted survives kill -9")
def test_what_was_accepted_survives_kill_9(tmp_path: Path, webhook: Subscriber) -> None:
    """An event whose delivery failed is delivered by the next process, to the subscription that was kept."""
    command = [sys.executable, "-m", "emulators.eventgrid", "--port", "0", "--data", str(tmp_path)]
    command += ["--time-scale", "0.02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as first:
        assert first.stdout
        emulator = Emulator(first.stdout.readline().split()[1])
        endpoint = emulator.topic("orders")
        emulator.subscribe("orders", "sub", webhook.url)
        webhook.released.clear()
        answers = [emulator.publish(endpoint, [event(id=str(each))]).status_code for each in range(20)]
        os.kill(first.pid, signal.SIGKILL)
    webhook.released.set()
    before = len(webhook.deliveries())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as second:
        assert second.stdout
        Emulator(second.stdout.readline().split()[1])
        deliveries = webhook.wait_for(before + 20)[before:]
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
    assert answers == [200] * 20
    assert {each.document[0]["id"] for each in deliveries} == {str(each) for each in range(20)}


@pytest.mark.our_choice("a 200 is a promise: what was accepted survives kill -9")
def test_every_accepted_event_survives_a_kill_in_the_midst_of_publishing(tmp_path: Path, webhook: Subscriber) -> None:
    """Four publishers, a kill -9 under their hands: what was answered with 200 is delivered by the next process."""
    command = [sys.executable, "-m", "emulators.eventgrid", "--port", "0", "--data", str(tmp_path)]
    accepted: set[str] = set()

    def publish(emulator: Emulator, endpoint: str, publisher: int) -> None:
        for number in range(10_000):
            name = f"{publisher}-{number}"
            try:
                answer = emulator.publish(endpoint, [event(id=name)])
            except requests.ConnectionError:
                return
            if answer.status_code == 200:
                accepted.add(name)

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as first:
        assert first.stdout
        emulator = Emulator(first.stdout.readline().split()[1])
        endpoint = emulator.topic("orders")
        emulator.subscribe("orders", "sub", webhook.url)
        webhook.released.clear()
        with ThreadPoolExecutor(4) as publishers:
            for publisher in range(4):
                publishers.submit(publish, emulator, endpoint, publisher)
            emulator.until(lambda: len(accepted) > 40)
            os.kill(first.pid, signal.SIGKILL)
    webhook.released.set()
    before = len(webhook.deliveries())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as second:
        assert second.stdout
        emulator = Emulator(second.stdout.readline().split()[1])
        emulator.until(lambda: accepted <= {each.document[0]["id"] for each in webhook.deliveries()[before:]})
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0


@pytest.mark.documented(RETRY)
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "GenericError"),
        (b"HTTP/1.1 206 Partial\r\nContent-Length: 0\r\n\r\n", "GenericError"),
        (b"this is no HTTP at all\r\n\r\n", "Aborted"),
        (b"", "SocketError"),
        (None, "TimedOut"),
    ],
    ids=["redirect", "partial", "garbage", "closes", "hangs"],
)
def test_an_endpoint_that_misbehaves_is_an_attempt_with_its_reason(answer: bytes | None, outcome: str) -> None:
    """Redirects are not followed, garbage and a closed connection are told apart, a silent one times out."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as connections:

        def misbehave() -> None:
            connection, _ = server.accept()
            connections.enter_context(connection)
            connection.recv(65536)
            if answer is not None:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_RDWR)

        endpoint = threading.Thread(target=misbehave)
        endpoint.start()
        functions = f"http://127.0.0.1:{server.getsockname()[1]}"  # a function is asked for no handshake
        options = Options(answer_timeout_seconds=0.5, functions_host=functions)
        with served(lambda: create(options=options)) as url:
            emulator = Emulator(url)
            topic = emulator.topic("orders")
            function = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/app/functions/One"
            destination = {"endpointType": "AzureFunction", "properties": {"resourceId": function}}
            emulator.arm("PUT", "/topics/orders/eventSubscriptions/sub", {"properties": {"destination": destination}})
            emulator.publish(topic, [event()])
            emulator.until(lambda: [each["outcome"] for each in emulator.attempts()] == [outcome])
        endpoint.join()
