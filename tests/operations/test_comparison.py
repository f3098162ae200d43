"""The pure middle of verifying and copying, over arbitrary orders: two sides merged, many events projected at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from operations.comparison import Verdict, judge
from operations.verification import merge
from order_events import OrderStatus, OrderStatusUpdated
from update_order_status.domain import evolve
from update_order_status.upkeep import WrittenEvent, WrittenOrder
from update_order_status_read_model.projector import OrderView, project, project_all
from update_order_status_read_model.upkeep import ViewedOrder

Item = TypeVar("Item")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(minutes=1)
order_ids = st.lists(st.text("abcABC019._-", min_size=1, max_size=4), unique=True).map(sorted)


async def one_by_one(items: Iterable[Item]) -> AsyncIterator[Item]:
    """`items`, asynchronously."""
    for item in items:
        yield item


def event(version: int) -> OrderStatusUpdated:
    """The event that made this version of order o-1."""
    statuses = list(OrderStatus)
    return OrderStatusUpdated(
        event_id=f"event:{version}",
        order_id="o-1",
        status=statuses[version % len(statuses)],
        previous_status=None,
        version=version,
        occurred_at=NOW - timedelta(days=1) + timedelta(seconds=version),
        command_id=f"k-{version}",
    )


def written(events: list[OrderStatusUpdated], *, pending: frozenset[int] = frozenset()) -> WrittenOrder:
    """An order with these events, published a day ago unless pending."""
    kept = (
        WrittenEvent(each.event_id, each.version, each.version in pending, each.occurred_at, each) for each in events
    )
    return WrittenOrder("o-1", evolve(events[-1]), tuple(kept), len(events) + 1)


def viewed(events: Iterable[OrderStatusUpdated]) -> ViewedOrder:
    """The read side after these events have arrived in this order."""
    view: OrderView | None = None
    steps = set()
    for each in events:
        view = project(view, each) or view
        steps.add(each.version)
    return ViewedOrder("o-1", view, frozenset(steps), len(steps) + 1)


@given(order_ids, order_ids)
def test_every_order_of_either_side_is_met_once_with_its_other(left: list[str], right: list[str]) -> None:
    """Merging meets each order once, sorted, with whatever each side has of it."""

    async def run() -> list[tuple[str, bool, bool]]:
        pairs = merge(
            one_by_one([WrittenOrder(order_id, None, (), 1) for order_id in left]),
            one_by_one([ViewedOrder(order_id, None, frozenset(), 1) for order_id in right]),
        )
        return [(order_id, a is not None, b is not None) async for order_id, a, b in pairs]

    assert asyncio.run(run()) == [(each, each in left, each in right) for each in sorted({*left, *right})]


@given(st.integers(1, 12).flatmap(lambda count: st.permutations(range(1, count + 1))), st.data())
def test_events_projected_together_end_as_one_by_one(versions: list[int], data: st.DataObject) -> None:
    """However events are split into portions, and whatever order they come in, view and steps end alike."""
    view: OrderView | None = None
    steps: set[int] = set()
    rest = [event(version) for version in versions]
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        changed, entries = project_all(view, rest[:size])
        view, rest = changed or view, rest[size:]
        steps |= {entry.version for entry in entries}
    expected = viewed(event(version) for version in versions)
    assert (view, frozenset(steps)) == (expected.view, expected.steps)


@given(st.integers(1, 8).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(1, count)))))
def test_only_what_has_arrived_wholly_is_the_same(case: tuple[int, set[int]]) -> None:
    """An order is the same if and only if all its events have arrived, whichever did."""
    count, arrived = case
    events = [event(version) for version in range(1, count + 1)]
    read_side = viewed(event(version) for version in sorted(arrived)) if arrived else None
    complete = len(arrived) == count
    verdict = judge("o-1", written(events), read_side, NOW, GRACE).verdict
    assert verdict is (Verdict.SAME if complete else Verdict.DIVERGED)
    missing = frozenset(range(1, count + 1)) - arrived
    waiting = judge("o-1", written(events, pending=missing), read_side, NOW, GRACE).verdict
    assert waiting is (Verdict.SAME if complete else Verdict.IN_FLIGHT)
