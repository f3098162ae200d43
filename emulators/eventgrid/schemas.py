"""What publishers send: one request body to events, as lenient and as strict as the service is for each input schema.

Pure. An `Event` keeps the publisher's own properties; `conversion.py` turns it into what a subscriber asked for.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

import orjson

from emulators.eventgrid import limits
from emulators.eventgrid.errors import (
    INPUT_JSON_INVALID,
    INVALID_CLOUD_EVENT_HEADER,
    TOO_LARGE,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA_TYPE,
    Refused,
)
from emulators.eventgrid.mapping import Mapped
from emulators.eventgrid.mapping import Mapping as InputMapping
from emulators.eventgrid.moments import parse_moment


class Schema(StrEnum):
    """An event schema, in ARM's spelling of a topic's `inputSchema`."""

    EVENT_GRID = "EventGridSchema"
    CLOUD_EVENT = "CloudEventSchemaV1_0"
    CUSTOM = "CustomEventSchema"

    @property
    def spoken(self) -> str:
        """The name in messages and in the header aeg-input-event-schema."""
        return {"EventGridSchema": "EventGridEvent", "CloudEventSchemaV1_0": "CloudEventV10"}.get(
            self.value, "CustomInputEvent"
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted event. Of a custom event `document` is an Event Grid envelope whose data is the whole original."""

    schema: Schema
    id: str
    document: Mapping[str, Any]
    domain_topic: str = ""
    """The name of the domain's topic that it is for; empty when it was sent to a topic."""
    body: bytes = field(init=False)
    """The document as JSON. One that nests too deeply for orjson raises JSONEncodeError."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", orjson.dumps(self.document))


@dataclass(frozen=True, slots=True)
class Reception:
    """What reading needs to know beside the request: the topic it came to, and fresh ids and the time for mapping.

    To a `domain` every event says which of its topics it is for: by `topic`, by a CloudEvent's `source`, or mapped.
    """

    topic_id: str
    mapping: InputMapping
    new_id: Callable[[], str]
    now: datetime
    domain: bool = False

    def domain_topic(self, named: Any) -> str:
        """The name of the domain's topic that an event names, by its name or its whole id."""
        inside = f"{self.topic_id}/topics/"
        text = named if isinstance(named, str) else ""
        return text[len(inside) :] if text.lower().startswith(inside.lower()) else text

    def event_topic(self, domain_topic: str) -> str:
        """What an event says its topic is: the id of the topic, or of the domain's topic."""
        return f"{self.topic_id}/topics/{domain_topic}" if self.domain else self.topic_id


_EVENT_GRID_REQUIRED = ("id", "subject", "eventType", "eventTime")
_EVENT_GRID_PROPERTIES = frozenset((*_EVENT_GRID_REQUIRED, "dataVersion", "data", "metadataVersion", "topic"))
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_BINARY_REQUIRED = ("ce-id", "ce-type", "ce-source", "ce-specversion")


def read_event_grid(body: bytes, reception: Reception) -> list[Event]:
    """Events of the Event Grid schema: an array, whatever the content type says."""
    schema = Schema.EVENT_GRID
    return [_event_grid(each, reception) for each in _array(_json(body, schema), schema)]


def read_cloud_events(headers: Mapping[str, str], body: bytes, reception: Reception) -> list[Event]:
    """CloudEvents 1.0: structured, batched or binary by the content type and the ce-* headers."""
    schema = Schema.CLOUD_EVENT
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    binary = any(name.startswith("ce-") for name in headers)
    if binary and media_type in (_STRUCTURED, _BATCH):
        raise Refused(
            INVALID_CLOUD_EVENT_HEADER,
            f"CloudEvents headers (ce-*) cannot be used together with the content type '{media_type}'.",
        )
    if media_type not in (_STRUCTURED, _BATCH, "application/json"):
        raise Refused(
            UNSUPPORTED_MEDIA_TYPE,
            f"The Content-Type header is either missing or it doesn't have a valid value. The content type "
            f"header must either be {_STRUCTURED}; charset=utf-8 or {_BATCH}; charset=utf-8.",
        )
    if binary:
        return [_binary_cloud_event(headers, body, media_type, reception)]
    document = _json(body, schema)
    if media_type == _BATCH:
        return [_cloud_event(each, reception) for each in _array(document, schema)]
    return [_cloud_event(_object(document, schema), reception)]


def read_custom(body: bytes, reception: Reception) -> list[Event]:
    """Events of the publisher's own shape: an array of objects; the topic's mapping finds the envelope in them."""
    schema = Schema.CUSTOM
    events = []
    for original in _array(_json(body, schema), schema):
        found = reception.mapping.apply(_object(original, schema))
        if missing := found.missing:
            raise _requires(schema, missing)
        events.append(_custom(found, original, reception))
    return events


def _custom(found: Mapped, original: Any, reception: Reception) -> Event:
    event_id = found.id or reception.new_id()
    domain_topic = reception.domain_topic(found.topic) if reception.domain else ""
    if reception.domain and not domain_topic:
        raise _requires(Schema.CUSTOM, "topic")
    envelope = {
        "id": event_id,
        "topic": reception.event_topic(domain_topic) if reception.domain else found.topic or reception.topic_id,
        "subject": found.subject,
        "eventType": found.event_type,
        "eventTime": found.event_time or reception.now.isoformat().replace("+00:00", "Z"),
        "data": original,
        "dataVersion": found.data_version,
        "metadataVersion": "1",
    }
    return _made(Schema.CUSTOM, event_id, envelope, domain_topic)


def _event_grid(candidate: Any, reception: Reception) -> Event:
    schema = Schema.EVENT_GRID
    document = _object(candidate, schema)
    for name in document:
        if name not in _EVENT_GRID_PROPERTIES:
            raise _unexpected(schema, name)
    domain_topic = _event_grid_topic(document.get("topic"), reception)
    for name in _EVENT_GRID_REQUIRED:
        _demand_text(document, name, schema)
    if "dataVersion" in document:
        _demand_text(document, "dataVersion", schema)
    if document.get("metadataVersion") not in (None, "1"):
        raise _does_not_conform(schema, "The property 'metadataVersion' must be '1'.")
    _demand_time(document, "eventTime", schema)
    topic = reception.event_topic(domain_topic)
    whole = {"dataVersion": "", **document, "topic": topic, "metadataVersion": "1"}
    return _made(schema, document["id"], whole, domain_topic)


def _event_grid_topic(topic: Any, reception: Reception) -> str:
    """The domain topic's name; empty for a custom topic, whose publishers have no topic to name."""
    if reception.domain:
        if found := reception.domain_topic(topic):
            return found
        raise _requires(Schema.EVENT_GRID, "topic")
    if topic and (not isinstance(topic, str) or topic.lower() != reception.topic_id.lower()):
        raise Refused(UNAUTHORIZED, "The topic property must not be set by the publisher, or be the topic's own id.")
    return ""


def _cloud_event(candidate: Any, reception: Reception) -> Event:
    schema = Schema.CLOUD_EVENT
    document = _object(candidate, schema)
    _demand_text(document, "id", schema)
    _demand_text(document, "type", schema, spoken="eventType")
    if document.get("time") is not None:
        _demand_time(document, "time", schema)
    domain_topic = reception.domain_topic(document.get("source")) if reception.domain else ""
    if reception.domain and not domain_topic:
        raise _requires(schema, "source")
    return _made(schema, document["id"], document, domain_topic)


def _binary_cloud_event(headers: Mapping[str, str], body: bytes, media_type: str, reception: Reception) -> Event:
    for name in _BINARY_REQUIRED:
        if not headers.get(name):
            raise Refused(INVALID_CLOUD_EVENT_HEADER, f"The required CloudEvents header '{name}' is missing or empty.")
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    data = _json(body, Schema.CLOUD_EVENT)
    return _cloud_event({**attributes, "datacontenttype": media_type, "data": data}, reception)


def _json(body: bytes, schema: Schema) -> Any:
    if not body:
        raise _does_not_conform(schema, "The request has no body.")
    try:
        return orjson.loads(body.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as failure:
        raise _does_not_conform(schema, f"It is not valid JSON: {failure}.") from failure


def _array(document: Any, schema: Schema) -> list[Any]:
    if not isinstance(document, list):
        raise _wrong_token(schema, "StartArray", document)
    if not document:
        raise _does_not_conform(schema, "The array holds no event.")
    if len(document) > limits.EVENTS_PER_REQUEST_MAX:
        raise _does_not_conform(schema, f"A request may hold {limits.EVENTS_PER_REQUEST_MAX} events.")
    return document


def _object(document: Any, schema: Schema) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise _wrong_token(schema, "StartObject", document)
    return document


def _demand_text(document: Mapping[str, Any], name: str, schema: Schema, *, spoken: str = "") -> None:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise _requires(schema, spoken or name)


def _demand_time(document: Mapping[str, Any], name: str, schema: Schema) -> None:
    if parse_moment(document[name]) is None:
        raise _does_not_conform(schema, f"The property '{name}' is not a date and time: {document[name]!r:.100}.")


def _made(schema: Schema, event_id: str, document: Mapping[str, Any], domain_topic: str) -> Event:
    try:
        event = Event(schema, event_id, document, domain_topic)
    except orjson.JSONEncodeError as failure:
        raise _does_not_conform(schema, f"It nests deeper than {limits.EVENT_DEPTH_MAX} levels.") from failure
    if len(event.body) > limits.EVENT_BYTES_MAX:
        raise Refused(TOO_LARGE, f"The maximum size ({limits.EVENT_BYTES_MAX}) has been exceeded.")
    return event


def _requires(schema: Schema, name: str) -> Refused:
    return Refused(
        INPUT_JSON_INVALID,
        f"This resource is configured for '{schema.spoken}' schema and requires '{name}' property to be set.",
    )


def _unexpected(schema: Schema, name: str) -> Refused:
    return Refused(
        INPUT_JSON_INVALID,
        f"This resource is configured for '{schema.spoken}' schema. Received unexpected property '{name}' in JSON "
        "which does not conform to the expected schema.",
    )


def _does_not_conform(schema: Schema, reason: str) -> Refused:
    return Refused(
        INPUT_JSON_INVALID,
        f"This resource is configured to receive event in '{schema.spoken}' schema. The JSON received does not "
        f"conform to the expected schema. {reason}",
    )


def _wrong_token(schema: Schema, expected: str, found: Any) -> Refused:
    return _does_not_conform(schema, f"Token Expected: {expected}, Actual Token Received: {_token(found)}.")


def _token(value: Any) -> str:
    """What .NET's JSON reader calls the token that `value` starts with."""
    if isinstance(value, bool):
        return "Boolean"
    names: list[tuple[type, str]] = [
        (dict, "StartObject"), (list, "StartArray"), (str, "String"), (int, "Integer"), (float, "Float"),
    ]  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), "Null")
