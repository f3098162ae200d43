"""Pull delivery from namespace topics: receive, acknowledge, release, reject, renew, and what time does to events."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.eventgrid import EventGridConsumerClient, EventGridPublisherClient, aio

from emulators.base.serving import Bind
from emulators.base.tls import certificate_file, server_context
from emulators.eventgrid.application import Options, create
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from emulators.eventgrid.configuration import Configured
from emulators.eventgrid.namespaces.configuration import ConfiguredNamespace
from tests.emulators.eventgrid.conftest import Emulator
from tests.emulators.eventgrid.pulling import (
    TOPIC,
    WAIT_SECONDS_MIN,
    Pulling,
    cloud_event,
    ids_of,
    post,
    provide,
    pulling,
    token_of,
)
from tests.serving import served

FAR_FUTURE = 4_102_444_800
QUEUE = {"deliveryConfiguration": {"deliveryMode": "Queue"}}
ORDERS = [ConfiguredNamespace("sales", {}, (Configured("topic", "orders", {}, {"shipping": QUEUE}),))]
SDK = "azure-eventgrid 4.22: receive, acknowledge, release, reject, renew_locks"
GO_TESTS = "azure-sdk-for-go sdk/messaging/eventgrid/aznamespaces/client_test.go, run against the service"
DEAD = "articles/event-grid dead-letter-event-subscriptions-namespace-topics"


@pytest.fixture
def sales(emulator: Emulator) -> Iterator[Pulling]:
    """A queue of the default settings, but two deliveries at most."""
    provide(emulator, queue={"maxDeliveryCount": 2})
    with pulling(emulator) as clients:
        yield clients


@pytest.mark.seen_on_azure(GO_TESTS)
def test_an_event_is_received_once_and_acknowledged(sales: Pulling) -> None:
    """The first delivery counts 1; meanwhile nobody else gets it; acknowledged, it is gone."""
    sales.publish("1", subject="s", extensions={"shop": "north"})
    (received,) = sales.receive()
    event: Any = received.event
    assert (received.broker_properties.delivery_count, event.id, event.subject) == (1, "1", "s")
    assert (event.data, event.extensions) == ({"order": "1"}, {"shop": "north"})
    assert sales.backlog() == (0, 1, 0)
    result = sales.consumer.acknowledge(lock_tokens=[token_of(received)])
    assert (result.succeeded_lock_tokens, result.failed_lock_tokens) == ([token_of(received)], [])
    assert sales.backlog() == (0, 0, 0)


@pytest.mark.seen_on_azure(GO_TESTS)
@pytest.mark.parametrize("settle", ["acknowledge", "release", "reject", "renew_locks"])
def test_a_token_that_is_spent_fails_alone(sales: Pulling, settle: str) -> None:
    """The request succeeds with 200; the stale token is told TokenLost, its neighbour is settled."""
    sales.publish("1", "2")
    first, second = sales.tokens()
    sales.consumer.acknowledge(lock_tokens=[first])
    result = getattr(sales.consumer, settle)(lock_tokens=[first, second])
    assert result.succeeded_lock_tokens == [second]
    (failed,) = result.failed_lock_tokens
    assert (failed.lock_token, failed.error.code, failed.error.message) == (first, "TokenLost", "Token has expired.")


@pytest.mark.seen_on_azure("azure-rest-api-specs#23754, a review of the service's answers: errorCode BadToken")
@pytest.mark.parametrize("token", ["token", "", "AAAA", "é", "/" * 32])
def test_what_is_no_token_is_told_so(sales: Pulling, token: str) -> None:
    """Also when it has the length of one; nothing is settled."""
    sales.publish("1")
    sales.receive()
    (failed,) = sales.consumer.acknowledge(lock_tokens=[token]).failed_lock_tokens
    assert (failed.lock_token, failed.error.code) == (token, "BadToken")
    assert sales.backlog() == (0, 1, 0)


@pytest.mark.our_choice("a lock token is a secret of its queue: another subscription's does not open it")
def test_a_token_of_another_queue_does_not_settle(sales: Pulling, emulator: Emulator) -> None:
    """Each subscription has its own copy of an event and its own locks."""
    provide(emulator, "billing")
    sales.publish("1")
    with pulling(emulator, "billing") as billing:
        (mine,) = billing.tokens()
        assert not sales.consumer.acknowledge(lock_tokens=[mine]).succeeded_lock_tokens
        assert (sales.backlog(), billing.backlog("billing")) == ((1, 0, 0), (0, 1, 0))


@pytest.mark.seen_on_azure(GO_TESTS)
def test_a_released_event_comes_again(sales: Pulling) -> None:
    """At once, with its deliveries counted, and under a new token."""
    sales.publish("1")
    (first,) = sales.tokens()
    assert sales.consumer.release(lock_tokens=[first]).succeeded_lock_tokens == [first]
    (again,) = sales.receive()
    assert again.broker_properties.delivery_count == 2
    assert token_of(again) != first


@pytest.mark.read_in_sdk(SDK)
@pytest.mark.parametrize("delay", [10, 60, 600, 3600])
def test_a_release_may_be_delayed(sales: Pulling, delay: int) -> None:
    """Until then nobody receives the event."""
    sales.publish("1")
    sales.consumer.release(lock_tokens=sales.tokens(), release_delay=delay)
    sales.emulator.advance(delay - 5)
    assert sales.backlog() == (0, 0, 1)
    sales.emulator.advance(5)
    assert ids_of(sales.receive()) == ["1"]


@pytest.mark.documented("azure-mgmt-eventgrid QueueInfo: an event that is not settled in time is available again")
def test_a_lock_that_runs_out_gives_the_event_back(sales: Pulling) -> None:
    """The old token is lost then."""
    sales.publish("1")
    (first,) = sales.tokens()
    sales.emulator.advance(59)
    assert sales.backlog() == (0, 1, 0)
    sales.emulator.advance(1)
    (again,) = sales.receive()
    assert again.broker_properties.delivery_count == 2
    (failed,) = sales.consumer.acknowledge(lock_tokens=[first]).failed_lock_tokens
    assert failed.error.code == "TokenLost"


@pytest.mark.read_in_sdk(SDK)
def test_a_renewed_lock_lasts_anew(sales: Pulling) -> None:
    """Counted from the renewal, under the same token."""
    sales.publish("1")
    (token,) = sales.tokens()
    sales.emulator.advance(50)
    assert sales.consumer.renew_locks(lock_tokens=[token]).succeeded_lock_tokens == [token]
    sales.emulator.advance(59)
    assert sales.consumer.acknowledge(lock_tokens=[token]).succeeded_lock_tokens == [token]


@pytest.mark.documented(DEAD)
@pytest.mark.parametrize("way", ["release", "neglect"])
def test_after_the_last_delivery_an_event_is_gone(sales: Pulling, way: str) -> None:
    """maxDeliveryCount deliveries, however each of them ended; without a place for dead letters it is dropped."""
    sales.publish("1")
    for _ in range(2):
        (token,) = sales.tokens()
        if way == "release":
            sales.consumer.release(lock_tokens=[token])
        else:
            sales.emulator.advance(60)
    sales.emulator.until(lambda: sales.backlog() == (0, 0, 0))
    sales.emulator.until(lambda: sales.emulator.totals()["DroppedEventCount"] == 1)


@pytest.mark.documented("articles/event-grid event-retention: eventTimeToLive")
def test_an_event_lives_as_long_as_its_time_to_live(emulator: Emulator) -> None:
    """Then it is dropped, unless somebody holds it: a holder may still acknowledge."""
    provide(emulator, queue={"eventTimeToLive": "PT1M30S", "receiveLockDurationInSeconds": 300})
    with pulling(emulator) as sales:
        sales.publish("1", "2")
        (token,) = sales.tokens(1)
        emulator.advance(91)
        emulator.until(lambda: sales.backlog() == (0, 1, 0))
        assert sales.consumer.acknowledge(lock_tokens=[token]).succeeded_lock_tokens == [token]
        assert emulator.totals()["DroppedEventCount"] == 1


@pytest.mark.read_in_sdk(SDK + ": 'If an event is available, the broker responds immediately'")
def test_a_receive_waits_for_the_next_event(sales: Pulling) -> None:
    """It is answered as soon as one is published; several waiters do not share one event."""
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(sales.consumer.receive, max_wait_time=120) for _ in range(3)]
        sales.publish("1", "2", "3")
        assert sorted(event_id for each in waiting for event_id in ids_of(each.result(timeout=30))) == ["1", "2", "3"]


@pytest.mark.read_in_sdk(SDK + ": max_wait_time")
def test_a_receive_without_events_ends_with_its_time(sales: Pulling) -> None:
    """An empty answer, by the emulator's clock."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sales.receive)
        sales.emulator.until(lambda: sales.emulator.control("GET", "/namespaces")["receivers"] == 1)
        sales.emulator.advance(WAIT_SECONDS_MIN - 1)
        assert sales.emulator.control("GET", "/namespaces")["receivers"] == 1
        sales.emulator.advance(1)
        assert waiting.result() == []


@pytest.mark.our_choice("a waiter learns that what it waits for is gone")
def test_a_receive_ends_with_its_subscription(sales: Pulling) -> None:
    """The subscription is deleted under a long poll: 404."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sales.consumer.receive, max_wait_time=120)
        assert sales.emulator.arm("DELETE", TOPIC + "/eventSubscriptions/shipping").status_code == 202
        with pytest.raises(ResourceNotFoundError):
            waiting.result(timeout=30)


@pytest.mark.read_in_sdk(SDK + ": max_events")
def test_a_receive_gives_as_many_as_asked_for(sales: Pulling) -> None:
    """One without a word, those that wait longest first."""
    sales.publish(*map(str, range(5)))
    assert ids_of(sales.consumer.receive(max_wait_time=10)) == ["0"]
    assert ids_of(sales.receive(3)) == ["1", "2", "3"]


@pytest.mark.our_choice("one answer is bounded: limits.RECEIVED_BYTES_MAX")
def test_an_answer_has_a_bound(sales: Pulling) -> None:
    """Large events come in several answers; none is lost."""
    for event_id in "12345":
        sales.publish(event_id, data="x" * 1_000_000)
    assert [len(sales.receive()), len(sales.receive())] == [4, 1]


@pytest.mark.seen_on_azure("azure-sdk-for-python#30570: (ArgumentInvalid) Invalid maxWaitTime parameter")
@pytest.mark.parametrize(
    ("name", "value"),
    [("maxWaitTime", 9), ("maxWaitTime", 121), ("maxWaitTime", "x"), ("maxEvents", 0), ("maxEvents", 101)],
)
def test_a_number_out_of_range_is_refused(sales: Pulling, name: str, value: object) -> None:
    """With the name of the parameter."""
    answer = post(sales.emulator, "/topics/orders/eventsubscriptions/shipping:receive", params={name: value})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "ArgumentInvalid")
    assert answer.json() == {"error": {"code": "ArgumentInvalid", "message": f"Invalid {name} parameter"}}


@pytest.mark.our_choice("the service's words for these are not known")
@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("acknowledge", b"{", 400),
        ("acknowledge", b"[]", 400),
        ("acknowledge", b'{"lockTokens": []}', 400),
        ("acknowledge", b'{"lockTokens": [1]}', 400),
        ("release", b'{"lockTokens": ["x"]}', 400),
        ("complete", b"{}", 404),
    ],
)
def test_a_bad_request_to_settle_is_refused(sales: Pulling, operation: str, body: bytes, status: int) -> None:
    """Not JSON, no tokens, a delay that is none of the five, an operation that there is not."""
    path = f"/topics/orders/eventsubscriptions/shipping:{operation}"
    answer = post(sales.emulator, path, params={"releaseDelayInSeconds": 5}, data=body)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)


@pytest.mark.read_in_sdk("azure-eventgrid 4.22, aio")
async def test_the_asynchronous_clients_do_the_same(emulator: Emulator) -> None:
    """Publish, receive, release, reject."""
    provide(emulator)
    key = AzureKeyCredential(DEVELOPMENT_KEY)
    async with (
        aio.EventGridPublisherClient(emulator.url, key, namespace_topic="orders") as publisher,
        aio.EventGridConsumerClient(emulator.url, key, namespace_topic="orders", subscription="shipping") as consumer,
    ):
        await publisher.send(cloud_event("1"))
        (received,) = await consumer.receive(max_wait_time=10)
        await consumer.release(lock_tokens=[token_of(received)])
        (received,) = await consumer.receive(max_wait_time=10)
        result = await consumer.reject(lock_tokens=[token_of(received)])
        assert result.succeeded_lock_tokens == [token_of(received)]


@contextmanager
def process(data: Path) -> Iterator[tuple[Emulator, subprocess.Popen[str]]]:
    """The emulator as a process that keeps its data."""
    line = [sys.executable, "-m", "emulators.eventgrid", "--port", "0", "--data", str(data)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout
        try:
            yield Emulator(running.stdout.readline().split()[1]), running
        finally:
            running.kill()


@pytest.mark.our_choice("what was answered survives kill -9 (DESIGN 4)")
def test_acknowledged_state_survives_a_kill(tmp_path: Path) -> None:
    """What is acknowledged stays gone, what is held stays held until its lock is over, what waits still waits."""
    with process(tmp_path) as (emulator, running):
        provide(emulator)
        with pulling(emulator) as sales:
            sales.publish("1", "2", "3")
            acknowledged, held = sales.tokens(2)
            sales.consumer.acknowledge(lock_tokens=[acknowledged])
        running.kill()
    with process(tmp_path) as (emulator, _), pulling(emulator) as sales:
        assert sales.backlog() == (1, 1, 0)
        assert sales.consumer.renew_locks(lock_tokens=[held]).succeeded_lock_tokens == [held]
        assert ids_of(sales.receive()) == ["3"]
        emulator.advance(60)
        assert sorted(ids_of(sales.receive())) == ["2", "3"]


@pytest.mark.our_choice("a stop does not wait for long polls")
def test_a_stop_answers_who_waits(tmp_path: Path) -> None:
    """SIGTERM ends a receive of two minutes with an empty answer, and the process with 0."""
    with process(tmp_path) as (emulator, running), ThreadPoolExecutor(1) as pool:
        provide(emulator)
        with pulling(emulator) as sales:
            sales.publish("1")
            sales.receive()
            waiting = pool.submit(sales.consumer.receive, max_wait_time=120, connection_timeout=5)
            emulator.until(lambda: emulator.control("GET", "/namespaces")["receivers"] == 1)
            running.terminate()
            assert waiting.result(timeout=60) == []
            assert running.wait(timeout=60) == 0


@pytest.mark.documented("azure-mgmt-eventgrid Subscription: expirationTimeUtc")
def test_a_subscription_ends_when_it_expires(emulator: Emulator) -> None:
    """It is deleted with what waits in it, and found no more."""
    expires = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - the emulator's clock starts at the real time
    provide(emulator, expirationTimeUtc=expires.isoformat())
    with pulling(emulator) as sales:
        sales.publish("1")
        emulator.advance(3500)
        assert sales.backlog() == (1, 0, 0)
        emulator.advance(100)
        path = TOPIC + "/eventSubscriptions/shipping"
        emulator.until(lambda: emulator.arm("GET", path).status_code == 404)
        with pytest.raises(ResourceNotFoundError):
            sales.receive()


@pytest.mark.our_choice("--time-scale: real seconds per Event Grid second, for locks, delays and lifetimes")
def test_a_time_scale_stretches_locks_and_delays() -> None:
    """Ten real seconds a second: a lock of a minute lasts ten, a delay of ten seconds a hundred."""
    with served(lambda: create(options=Options(time_scale=10.0))) as url:
        emulator = Emulator(url)
        provide(emulator)
        with pulling(emulator) as sales:
            sales.publish("1")
            sales.receive()
            emulator.advance(500)
            assert sales.backlog() == (0, 1, 0)
            emulator.advance(100)
            sales.consumer.release(lock_tokens=sales.tokens(), release_delay=10)
            emulator.advance(50)
            assert sales.backlog() == (0, 0, 1)
            emulator.advance(50)
            assert sales.backlog() == (1, 0, 0)


class AnyIdentity:
    """A credential that the emulator believes."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """A token of the right shape."""
        return AccessToken("a.b.c", FAR_FUTURE)


@pytest.mark.read_in_sdk("azure-eventgrid 4.22 _configuration: a token credential, over https only")
def test_an_identity_publishes_and_pulls_over_https(tmp_path: Path) -> None:
    """With --accept-bearer; without it the token is refused."""
    trusted = {"connection_verify": str(certificate_file(tmp_path))}
    for accepted in (True, False):
        bind = Bind(tls=server_context(tmp_path))
        with served(partial(create, options=Options(accept_bearer=accepted, namespaces=ORDERS)), bind) as url:
            publisher = EventGridPublisherClient(url, AnyIdentity(), namespace_topic="orders", **trusted)
            consumer = EventGridConsumerClient(
                url, AnyIdentity(), namespace_topic="orders", subscription="shipping", **trusted
            )
            with publisher, consumer:
                if accepted:
                    publisher.send(cloud_event("1"))
                    assert ids_of(consumer.receive(max_wait_time=10)) == ["1"]
                else:
                    with pytest.raises(ClientAuthenticationError):
                        publisher.send(cloud_event("1"))
