"""What subscribers receive: stored events to a request body in the subscription's delivery schema.

Pure. It knows the schemas, not how or when a body is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from emulators.eventgrid.schemas import Schema


class DeliverySchema(StrEnum):
    """ARM's spelling of a subscription's `eventDeliverySchema`."""

    EVENT_GRID = "EventGridSchema"
    CUSTOM_INPUT = "CustomInputSchema"
    CLOUD_EVENT = "CloudEventSchemaV1_0"


DELIVERABLE: Mapping[Schema, tuple[DeliverySchema, ...]] = {
    Schema.EVENT_GRID: (DeliverySchema.EVENT_GRID, DeliverySchema.CLOUD_EVENT),
    Schema.CLOUD_EVENT: (DeliverySchema.CLOUD_EVENT,),
    Schema.CUSTOM: (DeliverySchema.CUSTOM_INPUT, DeliverySchema.EVENT_GRID, DeliverySchema.CLOUD_EVENT),
}
"""Input schema to the delivery schemas it may become; the first is the default (docs webhook-event-delivery)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it waits on disk: its own schema and its JSON."""

    schema: Schema
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON, parsed."""
        document: dict[str, Any] = orjson.loads(self.body)
        return document


@dataclass(frozen=True, slots=True)
class Payload:
    """A delivery's body and what its headers say of it."""

    body: bytes
    content_type: str
    data_version: str


def convert(event: Stored, wanted: DeliverySchema) -> dict[str, Any]:
    """One event's document in the schema that the subscriber wants."""
    document = event.document
    if wanted is DeliverySchema.CUSTOM_INPUT:
        original: dict[str, Any] = document["data"]
        return original
    if wanted is DeliverySchema.CLOUD_EVENT and event.schema is not Schema.CLOUD_EVENT:
        return _as_cloud_event(document)
    return document


def one(event: Stored, wanted: DeliverySchema) -> bytes:
    """One event as JSON; the stored bytes themselves where no conversion is needed."""
    if event.schema.value == wanted.value:
        return event.body
    return orjson.dumps(convert(event, wanted))


def payload(events: Sequence[Stored], wanted: DeliverySchema, *, batched: bool) -> Payload:
    """The request body for `events`: an array, except for a CloudEvent that is not batched."""
    parts = [one(event, wanted) for event in events]
    if wanted is DeliverySchema.CLOUD_EVENT:
        if not batched:
            return Payload(parts[0], "application/cloudevents+json; charset=utf-8", "")
        return Payload(_array(parts), "application/cloudevents-batch+json; charset=utf-8", "")
    return Payload(_array(parts), "application/json; charset=utf-8", events[0].document.get("dataVersion", ""))


def _array(parts: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(parts) + b"]"


def _as_cloud_event(document: Mapping[str, Any]) -> dict[str, Any]:
    """The docs' correspondence: topic → source, eventType → type, eventTime → time."""
    converted = {
        "id": document["id"],
        "source": document["topic"],
        "specversion": "1.0",
        "type": document["eventType"],
        "subject": document["subject"],
        "time": document["eventTime"],
    }
    if "data" in document:
        converted["data"] = document["data"]
    return converted
