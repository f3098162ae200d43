"""The documents of the read container, to and from what the projector speaks of. Pure.

One partition holds one order: its view (`id` = the order's id) and one entry for each step of its history (`id` =
`version:` and the number; no order id has a colon).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from order_events import OrderStatus, format_moment
from update_order_status_read_model.projector import HistoryEntry, OrderView

Document = dict[str, Any]


def view_document(view: OrderView, projected_at: datetime) -> Document:
    """The document that keeps `view`. `projectedAt` is for measuring lag."""
    return {
        "id": view.order_id,
        "orderId": view.order_id,
        "type": "tombstone" if view.erased else "view",
        "status": view.status and view.status.value,
        "previousStatus": view.previous_status and view.previous_status.value,
        "version": view.version,
        "updatedAt": format_moment(view.updated_at),
        "projectedAt": format_moment(projected_at),
    }


def read_view(document: Mapping[str, Any]) -> OrderView:
    """The view that `document` keeps."""
    return OrderView(
        document["orderId"],
        _status(document["status"]),
        _status(document["previousStatus"]),
        document["version"],
        datetime.fromisoformat(document["updatedAt"]),
        erased=document["type"] == "tombstone",
    )


def history_document(entry: HistoryEntry) -> Document:
    """The document that keeps `entry`."""
    return {
        "id": history_id(entry.version),
        "orderId": entry.order_id,
        "type": "history",
        "version": entry.version,
        "status": entry.status.value,
        "previousStatus": entry.previous_status and entry.previous_status.value,
        "occurredAt": format_moment(entry.occurred_at),
        "commandId": entry.command_id,
    }


def history_id(version: int) -> str:
    """The id of the document that keeps this step of an order."""
    return f"version:{version}"


def read_history(document: Mapping[str, Any]) -> HistoryEntry:
    """The entry that `document` keeps."""
    return HistoryEntry(
        document["orderId"],
        document["version"],
        OrderStatus(document["status"]),
        _status(document["previousStatus"]),
        datetime.fromisoformat(document["occurredAt"]),
        document["commandId"],
    )


def _status(text: str | None) -> OrderStatus | None:
    return None if text is None else OrderStatus(text)
