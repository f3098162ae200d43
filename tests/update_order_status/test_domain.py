"""Decisions on commands, as laws over every order, status and command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_events import OrderStatus, OrderStatusUpdated
from update_order_status.domain import (
    BEGINNINGS,
    TRANSITIONS,
    NotAllowed,
    Order,
    Stale,
    Unchanged,
    UpdateOrderStatus,
    decide,
    event_id,
    evolve,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REAL_TRANSITIONS = [
    ("created", "approved"),
    ("approved", "shipped"),
    ("shipped", "delivered"),
    ("approved", "unavailable"),
    ("approved", "canceled"),
    ("approved", "invoiced"),
    ("approved", "processing"),
    ("created", "canceled"),
    ("shipped", "canceled"),
    ("delivered", "canceled"),
    ("approved", "delivered"),
]
"""Every transition among 8,135 orders of a real marketplace."""

statuses = st.sampled_from(OrderStatus)
commands = st.builds(UpdateOrderStatus, st.just("o-1"), statuses, st.text(min_size=1, max_size=20))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
orders = st.builds(Order, st.just("o-1"), statuses, st.none() | statuses, st.integers(1, 10**6), moments)


def test_every_status_has_its_row() -> None:
    """The table of transitions is total, so no status can be a surprise."""
    assert set(TRANSITIONS) == set(OrderStatus)


@pytest.mark.parametrize(("before", "after"), REAL_TRANSITIONS)
def test_what_real_orders_did_is_allowed(before: str, after: str) -> None:
    """Every transition that real orders made passes."""
    assert OrderStatus(after) in TRANSITIONS[OrderStatus(before)]


@pytest.mark.parametrize(
    ("before", "after"), [("created", "delivered"), ("delivered", "created"), ("shipped", "approved")]
)
def test_nonsense_is_not_allowed(before: str, after: str) -> None:
    """An order neither skips its life nor lives it backwards."""
    assert OrderStatus(after) not in TRANSITIONS[OrderStatus(before)]


def test_lives_begin_where_no_status_leads() -> None:
    """Only `created` comes from no other status, so only for it an order is taken to be new without a look."""
    assert frozenset({OrderStatus.CREATED}) == BEGINNINGS


def test_nothing_comes_after_canceled() -> None:
    """A canceled order stays canceled."""
    assert TRANSITIONS[OrderStatus.CANCELED] == ()


@given(orders, commands, moments)
def test_a_decision_follows_the_table(order: Order, command: UpdateOrderStatus, now: datetime) -> None:
    """The same status changes nothing; an allowed one makes the next version; any other is refused with the allowed."""
    decision = decide(order, command, now)
    if command.status is order.status:
        assert decision == Unchanged(order)
    elif command.status in TRANSITIONS[order.status]:
        assert isinstance(decision, OrderStatusUpdated)
        after = evolve(decision)
        assert (after.version, after.status) == (order.version + 1, command.status)
        assert after.previous_status is order.status
        assert after.updated_at == max(now, order.updated_at)
    else:
        assert decision == NotAllowed(order, TRANSITIONS[order.status])


@given(st.none() | orders, commands, moments)
def test_deciding_again_on_what_was_decided_is_harmless(
    order: Order | None, command: UpdateOrderStatus, now: datetime
) -> None:
    """A command that took effect finds its own status when it is decided again."""
    decision = decide(order, command, now)
    if isinstance(decision, OrderStatusUpdated):
        assert isinstance(decide(evolve(decision), command, now + timedelta(seconds=1)), Unchanged)


@given(orders, statuses, st.sets(st.integers(1, 10**6)))
def test_a_command_on_another_version_is_stale(order: Order, status: OrderStatus, seen: set[int]) -> None:
    """A command that names versions is decided only on one of those."""
    command = UpdateOrderStatus("o-1", status, "k", if_version=frozenset(seen - {order.version}))
    assert decide(order, command, NOW) == Stale(order)
    assert decide(None, command, NOW) == Stale(None)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_ids_of_events_differ_as_order_and_command_do(one: str, key: str, other: str, other_key: str) -> None:
    """Two commands never share an event id unless order and key are the same; order ids hold no line break."""
    one, other = one.replace("\n", ""), other.replace("\n", "")
    assert (event_id(one, key) == event_id(other, other_key)) == ((one, key) == (other, other_key))
