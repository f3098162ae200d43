"""Delivery attributes: headers of the user's own on every delivery, constant or taken from the event.

Pure. Source: docs delivery-properties.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulators.eventgrid.errors import Misstated
from emulators.eventgrid.paths import lookup

ATTRIBUTES_MAX = 10
VALUE_BYTES_MAX = 4096
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NEVER_SENT = frozenset(("content-length", "content-type", "host", "connection", "transfer-encoding"))
"""Headers that belong to the transport: a value of the user's would not be valid for them."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One header: a constant `value`, or the path of the event's value."""

    name: str
    value: str | None
    source: str | None


def headers_of(attributes: tuple[Attribute, ...], event: Mapping[str, Any]) -> dict[str, str]:
    """The headers for `event`. A value that cannot be a header's is left out."""
    headers = {}
    for each in attributes:
        found = each.value if each.source is None else _text(lookup(event, each.source))
        if found is not None and may_be_sent(found):
            headers[each.name] = found
    return headers


def may_be_sent(value: str) -> bool:
    """Whether a text from an event can be a header's value."""
    return value.isprintable() and value.isascii() and len(value) <= VALUE_BYTES_MAX


def parse_attributes(document: object) -> tuple[Attribute, ...]:
    """Attributes from ARM's `deliveryAttributeMappings`. Raises Misstated naming what is wrong."""
    if document is None:
        return ()
    if not isinstance(document, list) or len(document) > ATTRIBUTES_MAX:
        raise Misstated(f"deliveryAttributeMappings must be an array of up to {ATTRIBUTES_MAX}")
    return tuple(_attribute(each, f"deliveryAttributeMappings[{at}]") for at, each in enumerate(document))


def shown_attributes(document: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mappings with secret values hidden."""
    return [
        {**each, "properties": {**each["properties"], "value": "Hidden"}}
        if each["properties"].get("isSecret")
        else each
        for each in document
    ]


def _attribute(document: object, where: str) -> Attribute:
    if not isinstance(document, Mapping) or not isinstance(document.get("properties"), Mapping):
        raise Misstated(f"{where} must have name, type and properties")
    name, kind, inner = document.get("name"), document.get("type"), document["properties"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Misstated(f"{where}.name must be a header's name")
    if name.lower().startswith("aeg-") or name.lower() in _NEVER_SENT:
        raise Misstated(f"{where}.name {name!r} is reserved")
    if kind == "Static":
        value = inner.get("value")
        if not isinstance(value, str) or not 0 < len(value.encode()) <= VALUE_BYTES_MAX:
            raise Misstated(f"{where}.properties.value must be a string of 1 to {VALUE_BYTES_MAX} bytes")
        return Attribute(name, value, None)
    if kind == "Dynamic":
        source = inner.get("sourceField")
        if not isinstance(source, str) or not source:
            raise Misstated(f"{where}.properties.sourceField must be a path such as 'data.name'")
        return Attribute(name, None, source)
    raise Misstated(f"{where}.type must be Static or Dynamic")


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
