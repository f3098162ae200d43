"""What an order is, what may happen to it, and the decision on a command. Pure: values in, values out.

Everything that affects an order's life lives here; TRANSITIONS is the whole truth about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from order_events import OrderStatus, OrderStatusUpdated

S = OrderStatus

TRANSITIONS: Mapping[OrderStatus, tuple[OrderStatus, ...]] = {
    S.CREATED: (S.APPROVED, S.CANCELED, S.UNAVAILABLE),
    S.APPROVED: (S.INVOICED, S.PROCESSING, S.SHIPPED, S.DELIVERED, S.CANCELED, S.UNAVAILABLE),
    S.INVOICED: (S.PROCESSING, S.SHIPPED, S.CANCELED, S.UNAVAILABLE),
    S.PROCESSING: (S.INVOICED, S.SHIPPED, S.CANCELED, S.UNAVAILABLE),
    S.SHIPPED: (S.DELIVERED, S.CANCELED, S.RETURNED),
    S.DELIVERED: (S.CANCELED, S.RETURNED),
    S.UNAVAILABLE: (S.PROCESSING, S.CANCELED),
    S.CANCELED: (),
    S.RETURNED: (),
}
"""Approved orders may be reported delivered (nobody told us of the shipping), delivered ones canceled (money back)."""

FINAL = frozenset({S.DELIVERED, S.CANCELED, S.RETURNED})
"""Where a life ordinarily ends. A delivered order may still come back, but not after as long as orders are kept."""
BEGINNINGS = frozenset(OrderStatus) - {after for allowed in TRANSITIONS.values() for after in allowed}
"""Where an ordinary life begins: no order comes there from another status."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its latest event left it."""

    order_id: str
    status: OrderStatus
    previous_status: OrderStatus | None
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of an erased order. Its version is at least that of every event there ever was, so none can be
    taken for news; and no command brings the order back."""

    order_id: str
    version: int
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class UpdateOrderStatus:
    """The command: give this order this status.

    `command_id` names the intent: however often it is sent, it takes effect once. `repeatable` says that the caller
    knows that name, so that an earlier sending may exist. `if_version` is what the caller saw: the order must still
    have one of these versions (an empty set matches none), or with "existing" just exist; None asks for nothing.
    """

    order_id: str
    status: OrderStatus
    command_id: str
    repeatable: bool = False
    if_version: frozenset[int] | Literal["existing"] | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The order has that status already; nothing is to be done."""

    order: Order


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The order cannot take that status from the one it has."""

    order: Order
    allowed: tuple[OrderStatus, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """The order is not as the caller saw it."""

    order: Order | None


@dataclass(frozen=True, slots=True)
class Gone:
    """The order has been erased, for good."""

    tombstone: Tombstone


Decision = OrderStatusUpdated | Unchanged | NotAllowed | Stale | Gone


def decide(order: Order | Tombstone | None, command: UpdateOrderStatus, now: datetime) -> Decision:
    """What `command` does to `order` (None: never seen) at `now`.

    An order first seen is adopted at any status: its earlier life was not ours to record.
    """
    if isinstance(order, Tombstone):
        return Gone(order)
    if not _is_as_seen(order, command):
        return Stale(order)
    if order is None:
        return _event(command, None, 1, now)
    if order.status is command.status:
        return Unchanged(order)
    allowed = TRANSITIONS[order.status]
    if command.status not in allowed:
        return NotAllowed(order, allowed)
    # Clocks of two instances differ; an order's time must not run backwards while its version goes up.
    return _event(command, order.status, order.version + 1, max(now, order.updated_at))


def is_beginning(command: UpdateOrderStatus) -> bool:
    """Whether `command` most likely is about an order never seen before."""
    return command.status in BEGINNINGS and command.if_version is None


def _is_as_seen(order: Order | None, command: UpdateOrderStatus) -> bool:
    if command.if_version is None:
        return True
    return order is not None and (command.if_version == "existing" or order.version in command.if_version)


def _event(
    command: UpdateOrderStatus, previous: OrderStatus | None, version: int, occurred_at: datetime
) -> OrderStatusUpdated:
    return OrderStatusUpdated(
        event_id=event_id(command.order_id, command.command_id),
        order_id=command.order_id,
        status=command.status,
        previous_status=previous,
        version=version,
        occurred_at=occurred_at,
        command_id=command.command_id,
        traceparent=command.traceparent,
    )


def evolve(event: OrderStatusUpdated) -> Order:
    """The order as `event` left it. Events carry the whole state, so the order before it is not needed."""
    return Order(event.order_id, event.status, event.previous_status, event.version, event.occurred_at)


def event_id(order_id: str, command_id: str) -> str:
    """The id of the event that this command makes on this order, and of its record in the store.

    Hashed, because a caller's key may be longer than a Cosmos id or hold what Cosmos refuses in one; over the order
    too, so that one key on two orders gives two events. No order id has a colon, so none can be this id.
    """
    return "event:" + hashlib.sha256(f"{order_id}\n{command_id}".encode()).hexdigest()
