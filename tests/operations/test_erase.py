"""`erase` and `retain`: what goes, what stays, and that nothing brings it back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from azure.cosmos.exceptions import CosmosHttpResponseError

from order_events import OrderStatusUpdated, decode, to_event_grid_event
from tests.operations.operator import LIFE, later, live, operate
from tests.operations.spoiling import container
from tests.order_service import Service, body, order_service, stack

READ_SIDE = ("orders-read-1", "orders-read-2")
EVERYWHERE = ("orders-write", *READ_SIDE)


async def pushed(service: Service, *life: str) -> list[OrderStatusUpdated]:
    """The events of order o-1 taking these statuses, as Event Grid delivers them, not projected."""
    events = []
    for status in life:
        await service.update("o-1", status)
        events.append(decode(await asyncio.to_thread(service.stack.deliveries.get, True, 20)))
    return events


async def take(service: Service, event: OrderStatusUpdated) -> None:
    """Project an event."""
    await service.read.projection.take(json.dumps(to_event_grid_event(event)))


def left(service: Service, name: str, order_id: str = "o-1") -> list[dict[str, Any]]:
    """What a container still holds of an order, without the store's own members."""
    documents = [each for each in service.documents(name) if each["orderId"] == order_id]
    return [{name: value for name, value in each.items() if not name.startswith("_")} for each in documents]


async def erase(service: Service, *flags: str, attempts_max: int = 3) -> int:
    """The exit code of erasing o-1. No storage account is set, so 1 is the best there is without --dry-run."""
    outcome = await operate(service, "erase", "o-1", *flags, attempts_max=attempts_max)
    assert "AzureWebJobsStorage" in "".join(map(str, outcome.told)) or outcome.exit_code == 0
    assert outcome.document.get("erased") in (None, True)
    return outcome.exit_code


async def test_of_an_erased_order_its_version_stays_and_nothing_else(service: Service) -> None:
    """Both sides and both generations keep a tombstone with id and version; other orders keep everything."""
    await live(service, "o-1")
    await live(service, "o-2")
    await service.update("o-1", "delivered", Idempotency_Key="leaves a receipt")
    before = {name: left(service, name, "o-2") for name in EVERYWHERE}
    await erase(service)
    for name in EVERYWHERE:
        (tombstone,) = left(service, name)
        assert (tombstone["type"], tombstone["id"], tombstone["version"]) == ("tombstone", "o-1", 4)
        assert not {value for value in tombstone.values() if isinstance(value, str)} & {*LIFE}
        assert left(service, name, "o-2") == before[name]
    later(service)
    assert (await operate(service, "verify")).document["same"] == 2


async def test_commands_and_queries_on_an_erased_order(service: Service) -> None:
    """Commands answer 410, also with a known key or If-Match; queries 404, also where they would ask the write side."""
    await service.update("o-1", "created", Idempotency_Key="k")
    await service.deliver()
    await erase(service)
    for headers in ({}, {"Idempotency_Key": "k"}, {"If_Match": '"1"'}, {"If_Match": "*"}):
        answer = await service.update("o-1", "approved", **headers)
        assert (answer.status_code, body(answer)["type"]) == (410, "urn:problem-type:orders:order-erased")
    (result,) = body(await service.post_many({"commands": [{"orderId": "o-1", "status": "created"}]}))["results"]
    assert result["status"] == 410
    assert (await service.get("orders/o-1")).status_code == 404
    assert (await service.get("orders/o-1", minVersion="9")).status_code == 404
    assert (await service.get("orders/o-1/history")).status_code == 404
    assert body(await service.get("orders"))["orders"] == []
    assert body(await service.get("order-summary"))["total"] == 0


async def test_the_fallback_does_not_bring_an_erased_order_back(service: Service) -> None:
    """A query that finds no view, and asks the write side for the version it wants, meets the tombstone there."""
    await service.update("o-1", "created")
    await erase(service)
    for name in READ_SIDE:
        container(service, name).delete_item("o-1", partition_key="o-1")
    assert (await service.get("orders/o-1", minVersion="1")).status_code == 404


async def test_late_events_do_not_bring_it_back(service: Service) -> None:
    """Events delivered after the erasure, the first, the newest, and one never seen, change nothing."""
    events = await pushed(service, *LIFE[:3])
    await take(service, events[1])
    await erase(service)
    kept = {name: left(service, name) for name in EVERYWHERE}
    for event in (*events, events[2].model_copy(update={"version": 9})):
        await take(service, event)
    assert {name: left(service, name) for name in EVERYWHERE} == kept


@pytest.fixture
async def own_service() -> AsyncIterator[Service]:
    """The service on emulators of its own, whose clocks may be turned without others noticing."""
    with stack() as own:
        async with order_service(own) as connected:
            yield connected


async def test_an_erasure_between_look_and_save_leaves_no_history(own_service: Service) -> None:
    """A late event that was being projected while its order was erased writes nothing."""
    service = own_service
    events = await pushed(service, *LIFE[:3])
    await take(service, events[2])
    service.fault("cosmos", {"delaySeconds": 20}, {"operation": "*batch*", "container": "orders-read-1"}, times=1)
    service.stack.calls.clear()
    late = asyncio.create_task(take(service, events[1]))
    async with asyncio.timeout(5):
        while not [path for method, path in service.stack.calls if method == "POST" and "orders-read-1" in path]:
            await asyncio.sleep(0.01)
    await erase(service)
    service.turn_clock("cosmos", 20)
    await late
    assert [each["type"] for each in left(service, "orders-read-1")] == ["tombstone"]


async def test_pending_events_go_too(service: Service) -> None:
    """An event that was never published is erased, so the relay has nothing to publish."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=1)
    await service.update("o-1", "created")
    await erase(service)
    later(service)
    assert (await service.write.relay.tick()).found == 0


async def test_parked_events_go_too(service: Service) -> None:
    """Parked events that name the order are erased, however garbled; others stay."""
    data = {"orderId": "o-1", "status": "lost"}
    for order_id in ("o-1", "o-10", "xo-1"):
        for carried in (data | {"orderId": order_id}, json.dumps(data | {"orderId": order_id})):
            event = {"id": "e", "eventType": "OrderStatusUpdated", "dataVersion": "1.0", "data": carried}
            await service.read.projection.take(json.dumps(event))
    await service.read.projection.take('{"data": {"orderId": "o-1", cut off')
    assert len(service.documents("orders-parked")) == 7
    outcome = await operate(service, "erase", "o-1")
    assert outcome.document["undeliveredRemoved"] == 3
    parked = [each["payload"] for each in service.documents("orders-parked")]
    assert sorted("o-10" in each for each in parked) == [False, False, True, True]


async def test_an_unknown_order_is_told(service: Service) -> None:
    """Nothing is written for an id that nobody knows."""
    outcome = await operate(service, "erase", "o-typo")
    assert (outcome.exit_code, outcome.document["erased"]) == (1, False)
    assert [service.documents(name) for name in EVERYWHERE] == [[], [], []]


async def test_a_dry_run_erases_nothing(service: Service) -> None:
    """--dry-run counts what there is."""
    await live(service, "o-1", LIFE[:2])
    outcome = await operate(service, "erase", "o-1", "--dry-run")
    assert outcome.document == {
        "orderId": "o-1",
        "writeSide": 3,
        "generation 1": 3,
        "generation 2": 0,
        "undelivered": 0,
    }
    assert (await service.get("orders/o-1")).status_code == 200


async def test_an_erasure_killed_anywhere_is_finished_by_the_next(service: Service) -> None:
    """Cut off at any of its calls, running it again ends with a tombstone everywhere and nothing else."""
    for call in range(0, 60, 3):
        service.stack.deliveries.queue.clear()
        await live(service, f"o-{call}", LIFE[:2])
        service.fault("cosmos", {"status": 400}, {"operation": "*"}, skip=call, times=100_000)
        with suppress(CosmosHttpResponseError, ExceptionGroup):
            await operate(service, "erase", f"o-{call}", attempts_max=1)
            break  # it ended before that call
        service.stack.clear_faults()
        assert (await operate(service, "erase", f"o-{call}")).document["erased"]
        for name in EVERYWHERE:
            assert [each["type"] for each in left(service, name, f"o-{call}")] == ["tombstone"]
    assert call > 8


async def test_erasure_meets_a_rebuild(service: Service) -> None:
    """What is erased stays so in the generation that a rebuild makes, and after one that was cut off before."""
    await live(service, "o-1")
    await live(service, "o-2")
    service.fault("cosmos", {"status": 400}, {"operation": "*", "container": "orders-read-2"}, skip=6, times=10_000)
    with suppress(CosmosHttpResponseError, ExceptionGroup):
        await operate(service, "rebuild", attempts_max=1)
    service.stack.clear_faults()
    await erase(service)
    assert (await operate(service, "rebuild", "--take-over")).exit_code == 0
    assert [each["type"] for each in left(service, "orders-read-2")] == ["tombstone"]
    assert (await operate(service, "verify")).document["same"] == 2


async def test_verify_finishes_what_an_erasure_left(service: Service) -> None:
    """An order that is erased on the write side alone has diverged after the grace, and repair finishes it."""
    await live(service, "o-1", LIFE[:2])
    await service.write.upkeep.erase("o-1", 0, service.time.now())
    assert (await operate(service, "verify")).document["inFlight"] == 1
    later(service)
    outcome = await operate(service, "verify")
    assert "the read side still shows it" in outcome.document["findings"][0]["reason"]
    assert (await operate(service, "verify", "--repair")).exit_code == 0
    assert [each["type"] for each in left(service, "orders-read-1")] == ["tombstone"]


@pytest.mark.parametrize("flags", [("--events-days", "30"), ("--set", "OrdersRetainEventsDays=30")])
async def test_old_events_go_with_their_history(service: Service, flags: tuple[str, ...]) -> None:
    """Events over the age go from both sides; the newest of an order stays, so that it can be queried and rebuilt."""
    await live(service, "o-1", LIFE[:3])
    later(service, days=31)
    await live(service, "o-1", LIFE[3:])
    await live(service, "o-2", LIFE[:2])
    dry = await operate(service, "retain", *flags, "--dry-run")
    assert dry.document == {"events": 3, "orders": 0, "dryRun": True}
    outcome = await operate(service, "retain", *flags)
    assert (outcome.exit_code, outcome.document["events"]) == (0, 3)
    assert [step["version"] for step in body(await service.get("orders/o-1/history"))["steps"]] == [4]
    assert body(await service.get("orders/o-1"))["version"] == 4
    later(service)
    assert (await operate(service, "verify")).document["same"] == 2
    assert (await operate(service, "rebuild")).exit_code == 0
    assert (await operate(service, "retain", *flags)).document["events"] == 0
    later(service, days=31)
    assert (await operate(service, "retain", *flags)).document["events"] == 1
    assert (await service.update("o-1", "returned")).status_code == 200


async def test_old_finished_orders_go(service: Service) -> None:
    """Delivered, canceled and returned orders over the age are erased; others stay however old they are."""
    await live(service, "o-1")
    await live(service, "o-2", ("created", "canceled"))
    await live(service, "o-3", LIFE[:3])
    later(service, days=401)
    await live(service, "o-4")
    outcome = await operate(service, "retain", "--orders-days", "400")
    assert outcome.document == {"events": 0, "orders": 2, "dryRun": False}
    assert [(await service.get(f"orders/o-{number}")).status_code for number in (1, 2, 3, 4)] == [404, 404, 200, 200]
    assert (await operate(service, "verify")).document["same"] == 4


async def test_an_event_that_waits_to_be_published_never_goes(service: Service) -> None:
    """However old an order and its events are, while one is pending it stays."""
    await live(service, "o-1", LIFE[:3])
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=1)
    await service.update("o-1", "delivered")
    later(service, days=1000)
    outcome = await operate(service, "retain", "--orders-days", "2", "--events-days", "900")
    assert outcome.document == {"events": 3, "orders": 0, "dryRun": False}
    assert (await service.write.relay.tick()).sent == 1


@pytest.mark.parametrize("flags", [(), ("--events-days", "1"), ("--orders-days", "many")])
async def test_retention_without_a_sensible_age_is_refused(service: Service, flags: tuple[str, ...]) -> None:
    """No age, or one within which Event Grid still delivers, is refused by name."""
    with pytest.raises(Exception, match="OrdersRetain"):
        await operate(service, "retain", *flags)
