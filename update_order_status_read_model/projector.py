"""What an event makes of a view. Pure, and indifferent to order and repetition: versions decide, never arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from order_events import OrderStatus, OrderStatusUpdated


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as the newest event seen so far tells it. `erased`: a tombstone, of which only the version is left."""

    order_id: str
    status: OrderStatus | None
    previous_status: OrderStatus | None
    version: int
    updated_at: datetime
    erased: bool = False


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of an order's life. Its content follows from the event alone, so writing it twice changes nothing."""

    order_id: str
    version: int
    status: OrderStatus
    previous_status: OrderStatus | None
    occurred_at: datetime
    command_id: str


def project(view: OrderView | None, event: OrderStatusUpdated) -> OrderView | None:
    """The view after `event`, or None when the event leaves it as it is (older, repeated, or the order is erased)."""
    if view is not None and (view.erased or event.version <= view.version):
        return None
    return OrderView(event.order_id, event.status, event.previous_status, event.version, event.occurred_at)


def history_entry(view: OrderView | None, event: OrderStatusUpdated) -> HistoryEntry | None:
    """The step that `event` is, or None when the order is erased and has no history any more.

    Not gated by the version: an event that comes late still belongs to the history.
    """
    if view is not None and view.erased:
        return None
    return HistoryEntry(
        event.order_id, event.version, event.status, event.previous_status, event.occurred_at, event.command_id
    )


def project_all(
    view: OrderView | None, events: Sequence[OrderStatusUpdated]
) -> tuple[OrderView | None, list[HistoryEntry]]:
    """The view after `events` of its order, or None when they leave it as it is, and the steps that they are."""
    entries = [entry for event in events if (entry := history_entry(view, event)) is not None]
    changed = None
    for event in events:
        changed = project(changed or view, event) or changed
    return changed, entries
