"""`verify`: what it calls the same, in flight and diverged, and what --repair mends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.operations.operator import LIFE, later, live, operate
from tests.operations.spoiling import container
from tests.order_service import Service


def change(service: Service, order_id: str, document_id: str, **members: Any) -> None:
    """Change members of a document of the read side behind everybody's back."""
    read = container(service, "orders-read-1")
    document = read.read_item(document_id, partition_key=order_id)
    read.replace_item(document_id, {**document, **members})


async def test_both_sides_are_the_same_after_everything_has_arrived(service: Service) -> None:
    """Every order is compared, and none differs."""
    await asyncio.gather(*(live(service, f"o-{number}", LIFE[: 1 + number % 4]) for number in range(8)))
    outcome = await operate(service, "verify")
    assert outcome.exit_code == 0
    assert (outcome.document["orders"], outcome.document["same"]) == (8, 8)
    assert outcome.document["findings"] == []


async def test_an_empty_store_is_the_same_on_both_sides(service: Service) -> None:
    """Nothing on either side is no difference."""
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["orders"]) == (0, 0)


async def test_what_may_be_on_its_way_is_in_flight_and_later_diverged(service: Service) -> None:
    """An event published within the grace is in flight, after it the read side has diverged by it."""
    await live(service, "o-1", LIFE[:2])
    await live(service, "o-1", LIFE[2:3], projected=False)
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["inFlight"]) == (0, 1)
    later(service)
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["diverged"]) == (1, 1)
    (finding,) = outcome.document["findings"]
    assert finding["orderId"] == "o-1"
    assert "version 2, the write side at version 3" in finding["reason"]
    assert "the history lacks step 3" in finding["reason"]


async def test_an_event_that_is_not_published_is_in_flight_however_old(service: Service) -> None:
    """What the relay has yet to publish is on its way; waiting for it in vain ends with "could not tell"."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=1)
    await service.update("o-1", "created")
    later(service)
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["inFlight"]) == (0, 1)
    assert (await operate(service, "verify", "--wait", "5")).exit_code == 2
    assert (await service.write.relay.tick()).sent == 1
    await service.deliver()
    assert (await operate(service, "verify", "--wait", "5")).exit_code == 0


SPOILS: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "status": ("o-1", {"status": "canceled"}, "status is canceled on the read side, approved on the write side"),
    "time": ("o-1", {"updatedAt": "2026-01-01T00:00:00.000000Z"}, "updatedAt is 2026-01-01T00:00:00.000000Z"),
    "ahead": ("o-1", {"version": 9}, "the read side is at version 9, the write side at 2"),
    "erased": ("o-1", {"type": "tombstone", "status": None}, "the read side has erased it"),
}


@pytest.mark.parametrize("spoil", SPOILS)
async def test_every_member_is_compared(service: Service, spoil: str) -> None:
    """A view that differs in status, time or version, or is erased alone, has diverged, and repair does not hide it."""
    document_id, members, reason = SPOILS[spoil]
    await live(service, "o-1", LIFE[:2])
    change(service, "o-1", document_id, **members)
    outcome = await operate(service, "verify", "--repair")
    assert outcome.exit_code == 1
    assert reason in outcome.document["findings"][0]["reason"]


async def test_lost_events_are_repaired_through_the_gate(service: Service) -> None:
    """A missing order, a missing last step and a missing step in between are all projected anew from the events."""
    await live(service, "o-1", projected=False)
    await live(service, "o-2", LIFE[:2])
    await live(service, "o-2", LIFE[2:], projected=False)
    await live(service, "o-3")
    container(service, "orders-read-1").delete_item("version:2", partition_key="o-3")
    later(service)
    dry = await operate(service, "verify", "--repair", "--dry-run")
    assert (dry.exit_code, dry.document["diverged"]) == (1, 3)
    outcome = await operate(service, "verify", "--repair")
    assert (outcome.exit_code, outcome.document["repaired"], outcome.document["same"]) == (0, 3, 3)
    again = await operate(service, "verify", "--repair")
    assert (again.exit_code, again.document["repaired"]) == (0, 0)


async def test_what_only_the_read_side_has_is_told_and_not_deleted(service: Service) -> None:
    """A view or a step that no event explains has diverged; repair projects events and takes nothing away."""
    await live(service, "o-1", LIFE[:1])
    read = container(service, "orders-read-1")
    view = read.read_item("o-1", partition_key="o-1")
    read.create_item({**view, "id": "o-2", "orderId": "o-2"})
    read.create_item({**view, "id": "version:7", "type": "history", "version": 7})
    outcome = await operate(service, "verify", "--repair")
    reasons = {finding["orderId"]: finding["reason"] for finding in outcome.document["findings"]}
    assert outcome.exit_code == 1
    assert reasons == {
        "o-1": "the history has step 7, of which the write side has no event",
        "o-2": "the write side knows nothing of it",
    }


async def test_orders_of_a_newer_version_cannot_be_told(service: Service) -> None:
    """An order that this code cannot read ends with "could not tell", naming the order."""
    await live(service, "o-1", LIFE[:1])
    write = container(service, "orders-write")
    write.replace_item("o-1", {**write.read_item("o-1", partition_key="o-1"), "dataVersion": "9.0"})
    outcome = await operate(service, "verify")
    assert (outcome.exit_code, outcome.document["unreadable"]) == (2, 1)
    assert "dataVersion 9.0" in outcome.document["findings"][0]["reason"]


async def test_a_walk_goes_on_behind_where_it_broke(service: Service) -> None:
    """A store that fails now and then is asked again, and no order is left out or counted twice."""
    await asyncio.gather(*(live(service, f"o-{number}", LIFE[:2]) for number in range(10)))
    service.fault("cosmos", {"status": 503}, {"operation": "*query*"}, every=3, times=6)
    outcome = await operate(service, "verify", attempts_max=8)
    assert (outcome.exit_code, outcome.document["same"]) == (0, 10)


async def test_either_generation_can_be_compared(service: Service) -> None:
    """The generation that is not read lacks everything."""
    await live(service, "o-1", LIFE[:1])
    later(service)
    outcome = await operate(service, "verify", "--generation", "2")
    assert (outcome.exit_code, outcome.document["generation"]) == (1, 2)
    repaired = await operate(service, "verify", "--generation", "2", "--repair")
    assert (repaired.exit_code, repaired.document["repaired"]) == (0, 1)
