"""What the portal is told: attempts with their answers, dead letters, metrics; and redelivering now."""

from __future__ import annotations

import pytest
import requests

from emulators.eventgrid import limits
from tests.emulators.eventgrid.conftest import CONTROL, Emulator, event
from tests.emulators.eventgrid.subscriber import Subscriber

OURS = "the portal's endpoints are the emulator's own"


@pytest.mark.our_choice(OURS)
def test_an_event_in_flight_is_told_with_every_attempt(emulator: Emulator, webhook: Subscriber) -> None:
    """When, with which status and outcome, and when the next is due; for one subscription or all."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [500, 503, 200]
    emulator.subscribe("orders", "sub", webhook.url)
    emulator.publish(endpoint, [event()])
    emulator.until(lambda: len(emulator.attempts()) == 1)
    emulator.advance(12)
    emulator.until(lambda: len(emulator.attempts()) == 2)
    (waiting,) = emulator.control("GET", "/events?subscription=SUB")["inFlight"]
    assert [(each["number"], each["status"], each["outcome"]) for each in waiting["attempts"]] == [
        (1, 500, "GenericError"),
        (2, 503, "Busy"),
    ]
    assert waiting["published"] < waiting["attempts"][0]["at"] < waiting["due"] < waiting["expires"]
    assert emulator.control("GET", "/events?subscription=other")["inFlight"] == []
    emulator.advance(40)
    emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)
    (ended,) = emulator.control("GET", "/events")["finished"]
    assert (ended["result"], [each["status"] for each in ended["attempts"]]) == ("Delivered", [500, 503, 200])


@pytest.mark.our_choice(OURS)
def test_a_waiting_event_can_be_redelivered_now(emulator: Emulator, webhook: Subscriber) -> None:
    """Without turning the clock, though its endpoint was put aside; an unknown one is 404, nonsense 400."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [404] * limits.FAILURES_BEFORE_PROBATION
    emulator.subscribe("orders", "sub", webhook.url)
    emulator.publish(endpoint, [event(id=str(each)) for each in range(limits.FAILURES_BEFORE_PROBATION)])
    emulator.until(lambda: len(emulator.attempts()) == limits.FAILURES_BEFORE_PROBATION)
    delivery = emulator.control("GET", "/events")["inFlight"][3]
    emulator.control("POST", "/redeliver", {"delivery": delivery["delivery"]})
    emulator.until(lambda: emulator.totals()["DeliverySuccessCount"] == 1)
    assert webhook.deliveries()[-1].document[0]["id"] == delivery["eventId"]
    for body, status in (({"delivery": 10**9}, 404), ({"delivery": "1"}, 400), ([], 400)):
        answer = requests.post(emulator.url + "/_emulator/redeliver", json=body, headers=CONTROL, timeout=30)
        assert answer.status_code == status


@pytest.mark.documented("articles/event-grid metrics")
def test_metrics_are_told_as_json_and_to_prometheus(emulator: Emulator, webhook: Subscriber) -> None:
    """The service's names with their dimensions; durations as a sum and a count."""
    endpoint = emulator.topic("orders")
    webhook.statuses = [500]
    emulator.subscribe("orders", "sub", webhook.url, filter={"includedEventTypes": ["OrderStatusUpdated"]})
    emulator.publish(endpoint, [event(), event(id="2", eventType="Other")])
    emulator.publish(endpoint, [{}])
    emulator.until(lambda: emulator.totals()["DeliveryAttemptFailCount"] == 1)
    totals = emulator.totals()
    assert {name: totals[name] for name in ("PublishSuccessCount", "MatchedEventCount", "UnmatchedEventCount")} == {
        "PublishSuccessCount": 2,
        "MatchedEventCount": 1,
        "UnmatchedEventCount": 1,
    }
    lines = requests.get(emulator.url + "/_emulator/metrics", headers=CONTROL, timeout=30).text.splitlines()
    assert 'eventgrid_publish_success_total{topic="orders"} 2' in lines
    assert 'eventgrid_publish_fail_total{error="400",errorType="InputJsonInvalid",topic="orders"} 1' in lines
    failed = 'eventgrid_delivery_attempt_fail_total{error="500",errorType="GenericError",subscription="sub"} 1'
    assert failed in lines
    assert 'eventgrid_publish_success_latency_in_ms_count{topic="orders"} 1' in lines
    assert any(
        line.startswith('eventgrid_destination_processing_duration_in_ms_sum{subscription="sub"}') for line in lines
    )
