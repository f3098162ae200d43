"""What commands do when the store or Event Grid fails them: nothing lost, nothing doubled, nothing guessed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.cosmos import CosmosClient

from emulators.cosmos.account import WELL_KNOWN_KEY
from order_events import OrderStatus, OrderStatusUpdated
from tests.order_service import Service, Stack, body, order_service
from update_order_status.domain import UpdateOrderStatus, decide
from update_order_status.repository import Commit


def events(service: Service) -> list[dict[str, object]]:
    """The events in the write container."""
    return [document for document in service.documents() if document["type"] == "event"]


@pytest.mark.parametrize("times", [1, 2])
async def test_an_answer_lost_after_the_work_was_done_is_found_again(service: Service, times: int) -> None:
    """When the connection breaks after the commit, the command's record tells, and the caller sees one first answer."""
    await service.update("o-1", "created")
    service.fault(
        "cosmos", {"drop": "after"}, {"method": "POST", "path": "*/docs", "operation": "*batch*"}, times=times
    )
    answer = await service.update("o-1", "approved")
    assert (answer.status_code, body(answer)["version"]) == (200, 2)
    assert answer.headers["Idempotency-Replayed"] == "false"
    assert len(events(service)) == 2


async def test_a_connection_lost_before_the_work_is_tried_again(service: Service) -> None:
    """When the connection breaks before the commit, the command is done by a later attempt, once."""
    service.fault("cosmos", {"drop": "before"}, {"method": "POST", "operation": "*batch*"}, times=2)
    assert (await service.update("o-1", "created")).status_code == 201
    assert len(events(service)) == 1


@pytest.mark.parametrize("status", [408, 449, 500, 503])
async def test_an_unclear_status_is_resolved_by_the_command_id(service: Service, status: int) -> None:
    """A status that leaves open whether the write was done leads to another attempt under the same id."""
    service.fault("cosmos", {"status": status}, {"operation": "*batch*"}, times=1)
    answer = await service.update("o-1", "created")
    assert answer.status_code == 201
    assert len(events(service)) == 1


async def test_outcomes_that_stay_unknown_end_with_503_and_the_key(service: Service) -> None:
    """When every attempt's outcome is lost the caller gets 503, Retry-After and the key, with which a retry is safe."""
    service.fault("cosmos", {"status": 408}, {"operation": "*batch*"}, times=50)
    answer = await service.update("o-1", "created")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    key = answer.headers["Idempotency-Key"]
    service.stack.clear_faults()
    again = await service.update("o-1", "created", Idempotency_Key=key)
    assert again.status_code == 201
    assert len(service.time.slept) == 4  # between five attempts


async def test_pauses_between_attempts_grow_to_a_limit(shared: Stack) -> None:
    """The pauses of a command double, and none is longer than a second however many attempts a setting allows."""
    async with order_service(shared, OrdersCommitAttempts="20") as service:
        service.fault("cosmos", {"status": 408}, {"operation": "*batch*"}, times=100)
        assert (await service.update("o-1", "created")).status_code == 503
        assert service.time.slept[:6] == pytest.approx([0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
        assert service.time.slept[6:] == [1.0] * 13


async def test_a_command_of_a_batch_fails_by_itself(service: Service) -> None:
    """An error that nobody expected, throttling, a store that is away: results of their commands; others go on."""
    for order_id, act in (("o-1", {"status": 403}), ("o-2", {"status": 429, "retryAfterSeconds": 0.01})):
        service.fault("cosmos", act, {"method": "GET", "path": f"*/docs/{order_id}*"}, times=50)
    service.fault("cosmos", {"status": 503}, {"method": "GET", "path": "*/docs/o-3*"}, times=50)
    commands = [{"orderId": f"o-{number}", "status": "shipped"} for number in (1, 2, 3, 4)]
    answer = await service.post_many({"commands": commands}, {"Idempotency-Key": "batch"})
    results = body(answer)["results"]
    assert (answer.status_code, [result["status"] for result in results]) == (200, [500, 429, 503, 201])
    assert results[0]["problem"]["type"] == "urn:problem-type:orders:failed"
    assert [result.get("retryAfterSeconds") for result in results] == [None, 1, 1, None]
    service.stack.clear_faults()
    again = body(await service.post_many({"commands": commands}, {"Idempotency-Key": "batch"}))["results"]
    assert [(result["status"], result["replayed"]) for result in again] == [(201, False)] * 3 + [(201, True)]


async def test_a_guess_that_an_order_is_new_is_no_attempt(shared: Stack) -> None:
    """Where one attempt is allowed, `created` on an order that exists is still answered as what it is."""
    async with order_service(shared, OrdersCommitAttempts="1") as service:
        await service.update("o-1", "created")
        assert (await service.update("o-1", "created")).status_code == 200
        await service.update("o-1", "approved")
        assert (await service.update("o-1", "created")).status_code == 409
        assert service.time.slept == []


async def test_a_throttled_store_is_429(service: Service) -> None:
    """A store whose throughput stays used up answers 429 with the store's own Retry-After; nothing is written."""
    service.fault(
        "cosmos", {"status": 429, "substatus": 3200, "retryAfterSeconds": 7}, {"operation": "*batch*"}, times=50
    )
    answer = await service.update("o-1", "created")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "7"
    assert body(answer)["type"] == "urn:problem-type:orders:throttled"
    assert service.documents() == []


async def test_a_store_that_is_away_is_503(service: Service) -> None:
    """A store that breaks every connection answers 503 with Retry-After."""
    service.fault("cosmos", {"drop": "before"}, {"operation": "*"}, times=500)
    answer = await service.update("o-1", "created")
    assert answer.status_code == 503
    assert body(answer)["type"] == "urn:problem-type:orders:unavailable"


async def test_a_replica_that_is_behind_tells_of_no_order(service: Service) -> None:
    """A 404 that says only that a replica lags behind the session answers 503, and not that the order is missing."""
    await service.update("o-1", "created")
    service.fault("cosmos", {"status": 404, "substatus": 1002}, {"operation": "*", "method": "GET"}, times=500)
    assert (await service.update("o-1", "approved", If_Match='"1"')).status_code == 503


async def test_a_missing_container_is_no_missing_order(shared: Stack) -> None:
    """A container that does not exist is a mistake in the deployment, not an order at no version."""
    async with order_service(shared, OrdersWriteContainer="missing") as service:
        answer = await service.update("o-1", "approved", If_Match='"1"')
        assert (answer.status_code, body(answer)["type"]) == (500, "urn:problem-type:orders:failed")
        assert answer.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    "act",
    [{"status": 503}, {"status": 429}, {"status": 401}, {"status": 413}, {"drop": "before"}, {"drop": "after"}],
    ids=str,
)
async def test_a_command_succeeds_while_event_grid_is_down(service: Service, act: dict[str, object]) -> None:
    """A refused publish leaves the command done and its event pending, for the relay to publish after the grace."""
    service.fault("eventgrid", act, {"operation": "*publish*"}, times=1)
    answer = await service.update("o-1", "created")
    assert (answer.status_code, answer.headers["X-Event-Delivery"]) == (201, "deferred")
    assert ["pending" in event for event in events(service)] == [True]
    assert (await service.write.relay.tick()).found == 0
    service.time.at += timedelta(seconds=11)
    relayed = await service.write.relay.tick()
    assert (relayed.found, relayed.sent) == (1, 1)
    assert relayed.oldest_age_seconds > 11
    assert (await service.deliver()).order_id == "o-1"
    assert ["pending" in event for event in events(service)] == [False]
    assert (await service.write.relay.tick()).found == 0


async def test_the_relay_passes_over_events_of_a_newer_version(service: Service) -> None:
    """What a newer version wrote before it was taken back waits for it, and keeps no other event waiting."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=3)
    for number in range(3):
        await service.update(f"o-{number}", "created")
    with CosmosClient(service.stack.cosmos, WELL_KNOWN_KEY) as client:
        write = client.get_database_client(service.settings["OrdersDatabase"]).get_container_client("orders-write")
        oldest = min(events(service), key=lambda event: str(event["pending"]))
        write.replace_item(str(oldest["id"]), {**oldest, "dataVersion": "9.0"})
    service.time.at += timedelta(seconds=11)
    relayed = await service.write.relay.tick()
    assert (relayed.found, relayed.sent, relayed.unreadable) == (2, 2, 1)
    assert (await service.write.relay.tick()).unreadable == 1
    assert sum("pending" in event for event in events(service)) == 1


async def test_a_slow_event_grid_costs_the_budget_and_no_more(shared: Stack) -> None:
    """A publish that does not answer within its budget is left to the relay."""
    async with order_service(shared, OrdersPublishBudgetSeconds="0.05") as service:
        service.fault("eventgrid", {"delaySeconds": 3}, {"operation": "*"}, times=1)
        answer = await service.update("o-1", "created")
        assert (answer.status_code, answer.headers["X-Event-Delivery"]) == (201, "deferred")


async def test_a_mark_that_fails_is_made_up_by_the_relay(service: Service) -> None:
    """An event that was sent and not marked is sent again: twice is harmless, never is not."""
    service.fault("cosmos", {"status": 503}, {"method": "PATCH", "operation": "*"}, times=20)
    answer = await service.update("o-1", "created")
    assert answer.headers["X-Event-Delivery"] == "sent"
    service.stack.clear_faults()
    service.time.at += timedelta(seconds=11)
    assert (await service.write.relay.tick()).sent == 1
    first, second = await service.deliver(), await service.deliver()
    assert first == second


async def test_a_slow_mark_costs_the_budget_and_no_more(shared: Stack) -> None:
    """An event whose mark does not answer within the budget was sent, and stays pending for the relay."""
    async with order_service(shared, OrdersPublishBudgetSeconds="0.5") as service:
        service.fault("cosmos", {"delaySeconds": 3}, {"method": "PATCH", "operation": "*"}, times=1)
        answer = await service.update("o-1", "created")
        assert (answer.status_code, answer.headers["X-Event-Delivery"]) == (201, "sent")
        assert ["pending" in event for event in events(service)] == [True]


async def test_marking_twice_does_no_harm(service: Service) -> None:
    """An event that another instance has marked meanwhile is marked again without an error."""
    await service.update("o-1", "created")
    event = await service.deliver()
    await service.write.orders.mark_published([event])
    assert ["pending" in each for each in events(service)] == [False]


async def test_events_of_one_order_are_marked_though_one_is_already(service: Service) -> None:
    """When another instance has marked or erased one of several events, the rest of them is marked all the same."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*publish*"}, times=3)
    for status in ("created", "approved", "shipped"):
        await service.update("o-1", status)
    pending = (await service.write.orders.list_pending(service.time.at + timedelta(hours=1), 10)).events
    assert len(pending) == 3
    await service.write.orders.mark_published(pending[:1])
    await service.write.orders.mark_published([*pending, pending[0].model_copy(update={"event_id": "event:erased"})])
    assert ["pending" in each for each in events(service)] == [False] * 3


async def test_the_etag_guards_every_attempt(service: Service) -> None:
    """An order that changes between load and commit is never overwritten, on the second attempt neither.

    Guards against azure-cosmos emptying the ETag out of a batch that is used twice.
    """
    await service.update("o-1", "created")
    stored = await service.write.orders.load("o-1")
    await service.update("o-1", "approved")
    assert stored is not None
    late = decide(stored.order, UpdateOrderStatus("o-1", OrderStatus.CANCELED, "k"), service.time.now())
    assert isinstance(late, OrderStatusUpdated)
    assert await service.write.orders.commit(late, stored) is Commit.LOST_RACE
    assert await service.write.orders.commit(late, stored) is Commit.LOST_RACE
    assert len(events(service)) == 2
