"""What publishers send to a namespace: one request body to CloudEvents 1.0, structured, batched or binary.

Pure. Namespaces are stricter than custom topics: an event needs id, source, type, specversion and data.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import orjson

from emulators.eventgrid.errors import Refused
from emulators.eventgrid.limits import EVENT_DEPTH_MAX
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.errors import ARGUMENT_INVALID, FORBIDDEN, UNSUPPORTED_MEDIA_TYPE
from emulators.eventgrid.schemas import Event, Schema

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_REQUIRED = ("id", "source", "type", "specversion")
_ATTRIBUTE = re.compile(r"[a-z0-9]+|data_base64")
"""CloudEvents 1.0: lower-case letters and digits."""
_JSON_MEDIA_TYPE = re.compile(r"[^/]+/(?:json|[^/]+\+json)")


def read_events(headers: Mapping[str, str], body: bytes) -> list[Event]:
    """The events of a request. Raises Refused; then none is taken."""
    if len(body) > limits.REQUEST_BYTES_MAX:
        raise too_large()
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _BATCH:
        return [_event(each) for each in _array(_json(body))]
    if media_type == _STRUCTURED:
        return [_event(_json(body))]
    if any(name.startswith("ce-") for name in headers):
        return [_event(_binary(headers, body, media_type))]
    raise Refused(
        UNSUPPORTED_MEDIA_TYPE,
        f"The content type must be {_STRUCTURED} or {_BATCH}, or the request must be in CloudEvents binary mode "
        "(ce-* headers).",
    )


def too_large() -> Refused:
    """The refusal of a body over the limit."""
    return Refused(FORBIDDEN, f"The maximum size ({limits.REQUEST_BYTES_MAX}) has been exceeded.")


def _binary(headers: Mapping[str, str], body: bytes, media_type: str) -> dict[str, Any]:
    document: dict[str, Any] = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if "content-type" in headers:
        document["datacontenttype"] = headers["content-type"]
    if not media_type or _JSON_MEDIA_TYPE.fullmatch(media_type):
        document["data"] = _json(body)
    else:
        document["data_base64"] = base64.b64encode(body).decode()
    return document


def _event(document: Any) -> Event:
    if not isinstance(document, dict):
        raise _invalid("A CloudEvent must be a JSON object.")
    if "data" not in document and "data_base64" not in document:
        raise _required("data")
    for name in _REQUIRED:
        if not isinstance(document.get(name), str) or not document[name]:
            raise _required(name)
    if document["specversion"] != "1.0":
        raise _invalid("The 'specversion' attribute must be '1.0'.")
    for name in document:
        if not _ATTRIBUTE.fullmatch(name):
            raise _invalid(f"'{name:.60}' is not the name of a CloudEvents attribute: lower-case letters and digits.")
    if document.get("time") is not None:
        _check_time(document["time"])
    if "data_base64" in document:
        _check_base64(document)
    try:
        return Event(Schema.CLOUD_EVENT, document["id"], document)
    except orjson.JSONEncodeError as failure:
        raise _invalid(f"The event nests deeper than {EVENT_DEPTH_MAX} levels.") from failure


def _check_time(value: Any) -> None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _invalid(f"The 'time' attribute is not a date and time: {value!r:.100}.") from None


def _check_base64(document: Mapping[str, Any]) -> None:
    if document.get("data") is not None:
        raise _invalid("A CloudEvent may have 'data' or 'data_base64', not both.")
    try:
        base64.b64decode(document["data_base64"], validate=True)
    except (TypeError, ValueError):
        raise _invalid("The 'data_base64' attribute is not base64.") from None


def _array(document: Any) -> list[Any]:
    if not isinstance(document, list) or not document:
        raise _invalid("A batch must be a JSON array of at least one CloudEvent.")
    if len(document) > limits.EVENTS_PER_REQUEST_MAX:
        raise _invalid(f"A request may hold {limits.EVENTS_PER_REQUEST_MAX} events.")
    return document


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        raise _invalid(f"The request body is not valid JSON: {failure}.") from failure


def _required(name: str) -> Refused:
    return _invalid(f"The '{name}' attribute is required.")


def _invalid(message: str) -> Refused:
    return Refused(ARGUMENT_INVALID, message)
