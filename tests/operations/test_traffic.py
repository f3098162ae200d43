"""Both sides end the same whatever Event Grid does with deliveries, and however many instances of the app there are."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from tests.operations.operator import LIFE, later, operate
from tests.order_service import Service, body, second_instance

ORDERS = 6
EVENTS = ORDERS * len(LIFE)


async def drain(*instances: Service, deliveries: int) -> Counter[str]:
    """Project so many pushes of Event Grid, by whichever instance; how often each event came."""
    seen: Counter[str] = Counter()
    left = iter(range(deliveries))

    async def work(instance: Service) -> None:
        for _ in left:
            seen[(await instance.deliver()).event_id] += 1

    await asyncio.gather(*(work(instance) for instance in instances for _ in range(4)))
    return seen


async def lives(*instances: Service) -> None:
    """Orders live side by side, each command by a random instance."""
    chance = random.Random(1)

    async def one(order_id: str) -> None:
        for status in LIFE:
            answer = await chance.choice(instances).update(order_id, status)
            assert answer.status_code in (200, 201)

    await asyncio.gather(*(one(f"o-{number}") for number in range(ORDERS)))


async def test_events_that_come_several_times_change_nothing(service: Service) -> None:
    """Every event delivered three times ends in the same views and histories."""
    service.fault("eventgrid", {"duplicate": 2}, {"operation": "deliver*"})
    await lives(service)
    seen = await drain(service, deliveries=3 * EVENTS)
    assert set(seen.values()) == {3}
    later(service)
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["same"]) == (0, ORDERS)


async def test_events_that_are_late_and_overtaken_change_nothing(service: Service) -> None:
    """A third of the events, held back for a minute and overtaken by their successors, still make the same views."""
    service.fault("eventgrid", {"holdSeconds": 60}, {"operation": "deliver*"}, every=3)
    await lives(service)
    punctual = await drain(service, deliveries=EVENTS - EVENTS // 3)
    service.stack.clear_faults()
    service.turn_clock("eventgrid", 61)
    late = await drain(service, deliveries=EVENTS // 3)
    assert not punctual.keys() & late.keys()
    later(service)
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["same"]) == (0, ORDERS)


async def test_two_instances_work_on_one_store(service: Service) -> None:
    """Commands and deliveries spread over two instances, also rivals on one order, end with every command done once."""
    async with second_instance(service) as other:
        await lives(service, other)
        rivals = await asyncio.gather(
            *(
                instance.update("rival", "created", Idempotency_Key=f"k-{number % 3}")
                for number in range(6)
                for instance in (service, other)
            )
        )
        assert {answer.status_code for answer in rivals} <= {200, 201}
        ticks = await asyncio.gather(service.write.relay.tick(), other.write.relay.tick())
        assert sum(tick.found - tick.sent for tick in ticks) == 0
        await drain(service, other, deliveries=EVENTS + 1)
        assert body(await other.get("orders/rival"))["version"] == 1
    later(service)
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["same"]) == (0, ORDERS + 1)


async def test_two_instances_relay_beside_each_other(service: Service) -> None:
    """Both may publish what is pending; whatever comes twice changes nothing."""
    async with second_instance(service) as other:
        service.fault("eventgrid", {"status": 503}, {"operation": "publish*"}, times=EVENTS)
        await lives(service, other)
        service.stack.clear_faults()
        later(service)
        other.time.at = service.time.at
        ticks = await asyncio.gather(service.write.relay.tick(), other.write.relay.tick())
        assert max(tick.sent for tick in ticks) == EVENTS
        seen = await drain(service, other, deliveries=sum(tick.sent for tick in ticks))
        assert len(seen) == EVENTS
    assert (await operate(service, "verify")).document["same"] == ORDERS
