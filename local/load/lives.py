"""Orders that have been through something, made without sending a command: what each change left in the write side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from order_events import OrderStatus, OrderStatusUpdated
from update_order_status.documents import event_document, order_document
from update_order_status.domain import event_id


def life(order_id: str, statuses: Sequence[OrderStatus]) -> list[OrderStatusUpdated]:
    """The events of an order that went through `statuses`, just now."""
    now = datetime.now(UTC)  # noqa: TID251 - the stack runs on the real clock
    return [
        OrderStatusUpdated(
            event_id=event_id(order_id, f"{order_id}-{version}"),
            order_id=order_id,
            status=status,
            previous_status=statuses[version - 2] if version > 1 else None,
            version=version,
            occurred_at=now,
            command_id=f"{order_id}-{version}",
        )
        for version, status in enumerate(statuses, 1)
    ]


def published_documents(events: Sequence[OrderStatusUpdated]) -> list[dict[str, Any]]:
    """What a life leaves in its order's partition once everything is published: nothing is pending."""
    published = [{name: value for name, value in event_document(each).items() if name != "pending"} for each in events]
    return [*published, order_document(events[-1])]
