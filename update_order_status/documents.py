"""The documents of the write container, to and from what the domain speaks of. Pure.

One partition holds one order: the document of the order itself (`id` = the order's id) and one document for each
command that took effect (`id` from the command): its event, or a receipt when it changed nothing. All of them hold
the data of an event, since that is an order's whole state, and so stay readable through `order_events`. Of an erased
order there is one document, its tombstone in the order's place.

An event that is not yet published has `pending`, the moment it was made, so the index on it holds the backlog alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from order_events import EVENT_TYPE, OrderStatusUpdated, format_moment, read_document, to_document
from update_order_status.domain import Order, Tombstone, evolve

Document = dict[str, Any]


def order_document(event: OrderStatusUpdated) -> Document:
    """The order as `event` left it."""
    return _document("order", event.order_id, event)


def event_document(event: OrderStatusUpdated) -> Document:
    """An event that waits to be published."""
    waiting = {"eventType": EVENT_TYPE, "pending": format_moment(event.occurred_at)}
    return {**_document("event", event.event_id, event), **waiting}


def receipt_document(answered: OrderStatusUpdated) -> Document:
    """What a command that changed nothing was answered."""
    return _document("receipt", answered.event_id, answered)


def tombstone_document(tombstone: Tombstone) -> Document:
    """What is left of an erased order."""
    return {
        "id": tombstone.order_id,
        "orderId": tombstone.order_id,
        "type": "tombstone",
        "version": tombstone.version,
        "erasedAt": format_moment(tombstone.erased_at),
    }


def read_order(document: Mapping[str, Any]) -> Order | Tombstone:
    """The order, or what is left of it, that the document in its place tells of. Raises UndecodableEvent."""
    if document["type"] == "tombstone":
        erased_at = datetime.fromisoformat(document["erasedAt"])
        return Tombstone(document["orderId"], document["version"], erased_at)
    return evolve(read_document(document))


def _document(kind: str, document_id: str, event: OrderStatusUpdated) -> Document:
    return {"id": document_id, "type": kind, **to_document(event)}
