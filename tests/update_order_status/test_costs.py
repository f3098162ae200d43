"""What commands, projections and queries cost: the table of docs/GUARANTEES.md, call by call, with its budgets."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.order_service import Service

PAGE = Path(__file__).parents[2] / "docs" / "GUARANTEES.md"
ROW = re.compile(r"\| (?P<what>[^|]+) \| (?P<calls>[^|]*) \| (?P<budget>[0-9.]+) \| (?P<sent>[0-9]) \|")
TWO = [{"orderId": "o-1", "status": status} for status in ("created", "approved")]


def stated() -> dict[str, tuple[list[str], float, int]]:
    """What the page says each thing costs: calls to Cosmos DB in their order, request units, calls to Event Grid."""
    section = PAGE.read_text(encoding="utf-8").partition("## What it costs")[2].partition("\n## ")[0]
    return {
        row["what"].strip(): (_calls(row["calls"]), float(row["budget"]), int(row["sent"]))
        for row in ROW.finditer(section)
    }


def _calls(text: str) -> list[str]:
    calls: list[str] = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        times, _, name = each.rpartition(" × ")
        calls += [name] * int(times or 1)
    return calls


async def first(service: Service) -> None:
    """Nothing to prepare."""


async def created(service: Service) -> None:
    """An order, and its event on the way."""
    await service.update("o-1", "created")


async def projected(service: Service) -> None:
    """An order that the read side knows."""
    await created(service)
    await service.deliver()


async def approved(service: Service) -> None:
    """An order that the read side knows, and a later event on the way."""
    await projected(service)
    await service.update("o-1", "approved")


async def keyed(service: Service) -> None:
    """An order made by a command with a key."""
    await service.update("o-1", "created", Idempotency_Key="k")


async def stale(service: Service) -> None:
    """An order whose second event has been projected and whose first one is on the way."""
    await service.update("o-1", "created")
    await service.update("o-1", "approved")
    events = [await service.next_event(), await service.next_event()]
    events.sort(key=lambda event: event[0].version)
    await service.read.projection.take(events[1][1])
    service.stack.deliveries.put(events[0][1])


async def pending(service: Service) -> None:
    """An order whose event Event Grid did not take."""
    service.fault("eventgrid", {"status": 503}, {"operation": "*"}, times=1)
    await created(service)
    service.time.at += timedelta(seconds=11)


Step = Callable[[Service], Awaitable[object]]
CASES: dict[str, tuple[Step, Step]] = {
    "a new order": (first, lambda s: s.update("o-1", "created")),
    "an order adopted at a later status": (first, lambda s: s.update("o-1", "shipped")),
    "a change of status": (created, lambda s: s.update("o-1", "approved")),
    "a change to the status it has": (approved, lambda s: s.update("o-1", "approved")),
    "`created` sent again without its key": (created, lambda s: s.update("o-1", "created")),
    "a command sent again with its key": (keyed, lambda s: s.update("o-1", "created", Idempotency_Key="k")),
    "a batch of two commands on one order": (first, lambda s: s.post_many({"commands": TWO})),
    "a change that is not allowed": (created, lambda s: s.update("o-1", "delivered")),
    "an order's first event": (created, lambda s: s.deliver()),
    "a later event": (approved, lambda s: s.deliver()),
    "an event that comes late": (stale, lambda s: s.deliver()),
    "a tick of the relay with nothing to do": (created, lambda s: s.write.relay.tick()),
    "a tick that publishes one event": (pending, lambda s: s.write.relay.tick()),
    "GetOrder": (projected, lambda s: s.get("orders/o-1")),
    "ListOrders": (projected, lambda s: s.get("orders")),
    "GetOrderHistory": (projected, lambda s: s.get("orders/o-1/history")),
    "GetOrderSummary": (projected, lambda s: s.get("order-summary")),
}


def test_the_page_states_the_costs_of_what_is_measured() -> None:
    """The table and the measurements have the same rows."""
    assert set(stated()) == set(CASES)


@pytest.mark.parametrize("what", CASES)
async def test_it_costs_what_the_page_says(service: Service, what: str) -> None:
    """Exactly these calls in this order, and no more request units than the budget."""
    calls, budget, sent = stated()[what]
    prepare, act = CASES[what]
    await prepare(service)
    await service.get("orders/warm-up")  # the pointer to the views is read every few seconds only
    service.spent()
    sent_before = service.published()
    await act(service)
    spent = service.spent()
    assert [operation.removeprefix("docs.") for operation, _ in spent] == calls
    assert sum(charge for _, charge in spent) <= budget
    assert service.published() - sent_before == sent
