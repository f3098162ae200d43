"""Events become views and histories, whatever order they come in and however often."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from order_events import OrderStatusUpdated, decode, to_cloud_event, to_event_grid_event
from tests.order_service import Service, Stack, body, order_service
from update_order_status_read_model.errors import StoreThrottled, StoreUnavailable

LIFE = ("created", "approved", "shipped", "delivered")


async def live(service: Service, order_id: str, life: tuple[str, ...] = LIFE) -> list[OrderStatusUpdated]:
    """The events of an order's life, pushed by Event Grid but not projected."""
    for status in life:
        await service.update(order_id, status)
    pushed = [await asyncio.to_thread(service.stack.deliveries.get, True, 20) for _ in life]
    events = [json.loads(text) for text in pushed]
    assert {event["subject"] for event in events} == {"orders/update"}
    return sorted((decode(text) for text in pushed), key=lambda event: event.version)


async def take(service: Service, *events: OrderStatusUpdated) -> None:
    """Project `events` in this order."""
    for event in events:
        await service.read.projection.take(json.dumps(to_event_grid_event(event)))


async def test_an_update_reaches_the_read_model(service: Service) -> None:
    """What a command answered is what the query answers, once Event Grid has delivered the event."""
    commanded = await service.update("o-1", "created")
    await service.deliver()
    queried = await service.get("orders/o-1")
    assert (queried.status_code, body(queried)) == (200, body(commanded))
    assert queried.headers["ETag"] == commanded.headers["ETag"]


async def test_cloud_events_reach_it_too(shared: Stack) -> None:
    """The same event in a CloudEvents envelope is projected alike."""
    async with order_service(shared) as service:
        (event,) = await live(service, "o-1", ("created",))
        await service.read.projection.take(json.dumps(to_cloud_event(event)))
        assert body(await service.get("orders/o-1"))["status"] == "created"


async def test_every_order_of_arrival_ends_alike(service: Service) -> None:
    """All permutations of an order's events, each event twice, give the same view and the same history."""
    for number, arrival in enumerate(itertools.permutations(range(3))):
        order_id = f"o-{number}"
        events = await live(service, order_id, LIFE[:3])
        await take(service, *(events[place] for place in (*arrival, *arrival)))
        order = body(await service.get(f"orders/{order_id}"))
        assert (order["status"], order["version"]) == ("shipped", 3)
        history = body(await service.get(f"orders/{order_id}/history"))
        assert [(step["version"], step["status"]) for step in history["steps"]] == [
            (1, "created"),
            (2, "approved"),
            (3, "shipped"),
        ]


async def test_simultaneous_deliveries_end_at_the_newest(service: Service) -> None:
    """Deliveries that race on one order leave the newest version and the whole history."""
    events = await live(service, "o-1")
    await asyncio.gather(*(take(service, event) for event in (*reversed(events), *events)))
    assert body(await service.get("orders/o-1"))["version"] == 4
    assert len(body(await service.get("orders/o-1/history"))["steps"]) == 4


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"dataVersion": "2.0"}, "dataVersion 2.0 is not understood"),
        ({"eventType": "Other"}, "event type 'Other' is not"),
        ({"data": {"orderId": "o-1"}}, "data.status"),
    ],
)
async def test_poison_is_parked_with_its_reason(service: Service, spoil: dict[str, object], reason: str) -> None:
    """An event that can never be applied is kept with the reason, counted when it comes again, and acknowledged."""
    (event,) = await live(service, "o-1", ("created",))
    text = json.dumps({**to_event_grid_event(event), **spoil})
    await service.read.projection.take(text)
    await service.read.projection.take(text)
    (parked,) = service.documents("orders-parked")
    assert reason in parked["reason"]
    assert (parked["payload"], parked["deliveries"]) == (text, 2)
    assert service.documents("orders-read-1") == []


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # azure-cosmos knows no other way
@pytest.mark.parametrize("character", ["x", '"', "é", "\U0001f600"])
async def test_poison_of_any_size_finds_its_place(service: Service, character: str) -> None:
    """The largest event that Event Grid takes is parked, with as much of its text as one document holds."""
    text = character * (1_000_000 // len(character.encode()))
    await service.read.projection.take(text)
    (parked,) = service.documents("orders-parked")
    assert text.startswith(parked["payload"])
    assert len(parked["payload"]) > 100_000


@pytest.mark.parametrize("status", [408, 410, 429, 449, 500, 503])
async def test_a_store_that_is_away_makes_event_grid_come_again(service: Service, status: int) -> None:
    """A transient failure is raised, which is how a function asks Event Grid for another delivery."""
    events = await live(service, "o-1", LIFE[:2])
    service.fault("cosmos", {"status": status, "retryAfterSeconds": 0.01}, {"operation": "*"}, times=100)
    for event in events:
        with pytest.raises((StoreUnavailable, StoreThrottled)):
            await take(service, event)
    service.stack.clear_faults()
    await take(service, *events)
    assert body(await service.get("orders/o-1"))["version"] == 2


async def test_a_save_whose_answer_was_lost_is_no_obstacle(service: Service) -> None:
    """When the connection breaks after a save, the repetition finds the view as it should be."""
    first, second = await live(service, "o-1", LIFE[:2])
    for event in (first, second):
        service.fault("cosmos", {"drop": "after"}, {"operation": "*batch*"}, times=1)
        await take(service, event)
    assert body(await service.get("orders/o-1"))["version"] == 2


async def test_a_tombstone_takes_no_event(service: Service) -> None:
    """Neither an older event nor a newer one brings an erased order back, to its view or to its history."""
    events = await live(service, "o-1", LIFE[:2])
    tombstone = {
        "id": "o-1",
        "orderId": "o-1",
        "type": "tombstone",
        "status": None,
        "previousStatus": None,
        "version": 2,
        "updatedAt": "2026-01-01T00:00:00.000000Z",
        "projectedAt": "2026-01-01T00:00:00.000000Z",
    }
    service.put("orders-read-1", tombstone)
    await take(service, *events, events[1].model_copy(update={"version": 3}))
    (left,) = service.documents("orders-read-1")
    assert left == left | tombstone
    assert (await service.get("orders/o-1")).status_code == 404
