"""Envelopes around the event, all written and all read: Event Grid's own, CloudEvents 1.0, and a stored document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from order_events.event import OrderStatusUpdated, format_moment
from order_events.versions import DATA_VERSION, VERSIONS, UndecodableEvent, Versions, read_data

EVENT_TYPE = "OrderStatusUpdated"
SUBJECT = "orders/update"
CLOUD_EVENT_SOURCE = "/orders"


def to_event_grid_event(event: OrderStatusUpdated) -> dict[str, Any]:
    """`event` in the Event Grid schema."""
    return {
        "id": event.event_id,
        "eventType": EVENT_TYPE,
        "subject": SUBJECT,
        "eventTime": format_moment(event.occurred_at),
        "dataVersion": DATA_VERSION,
        "data": event.data(),
    }


def to_cloud_event(event: OrderStatusUpdated) -> dict[str, Any]:
    """`event` in the CloudEvents 1.0 schema.

    CloudEvents has no place for the data's version, hence the extension `dataversion`. `traceparent` is the
    distributed tracing extension; it must be ours, or the SDK would put in that of whichever call published.
    """
    envelope = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": CLOUD_EVENT_SOURCE,
        "type": EVENT_TYPE,
        "subject": SUBJECT,
        "time": format_moment(event.occurred_at),
        "datacontenttype": "application/json",
        "dataversion": DATA_VERSION,
        "data": event.data(),
    }
    if event.traceparent is not None:
        envelope["traceparent"] = event.traceparent
    return envelope


def to_document(event: OrderStatusUpdated) -> dict[str, Any]:
    """What a stored document says of `event`; its id and kind are for whoever stores it."""
    return {"eventId": event.event_id, "dataVersion": DATA_VERSION, **event.data()}


def read_document(document: Mapping[str, Any], versions: Versions = VERSIONS) -> OrderStatusUpdated:
    """The event that a stored document tells of. Raises UndecodableEvent."""
    return _read(document.get("eventId"), document.get("dataVersion"), document, versions)


def decode(text: str | bytes, versions: Versions = VERSIONS) -> OrderStatusUpdated:
    """The event in `text`, one envelope of either schema. Raises UndecodableEvent, which says what is wrong.

    The data may be an object or a string that holds one: some publishers serialise twice.
    """
    envelope = _json_object(text, "the event")
    if "specversion" in envelope:
        kind, version = envelope.get("type"), envelope.get("dataversion", DATA_VERSION)
    else:
        kind, version = envelope.get("eventType"), envelope.get("dataVersion")
    if kind != EVENT_TYPE:
        raise UndecodableEvent(f"event type {str(kind)[:64]!r} is not {EVENT_TYPE}")
    data = envelope.get("data")
    if isinstance(data, str):
        data = _json_object(data, "data")
    if not isinstance(data, Mapping):
        raise UndecodableEvent("data is neither an object nor a string that holds one")
    return _read(envelope.get("id"), version, data, versions)


def _read(event_id: object, version: object, data: Mapping[str, Any], versions: Versions) -> OrderStatusUpdated:
    if not isinstance(event_id, str) or not event_id:
        raise UndecodableEvent("the event has no id")
    if not isinstance(version, str):
        raise UndecodableEvent("the event has no dataVersion")
    return read_data(event_id, version, data, versions)


def _json_object(text: str | bytes, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as failure:
        raise UndecodableEvent(f"{name} is not JSON: {failure}") from failure
    if not isinstance(document, dict):
        raise UndecodableEvent(f"{name} is not a JSON object")
    return document
