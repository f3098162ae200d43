"""A custom topic's input mapping: where in the publisher's own JSON the envelope's fields are.

Pure. Parsed once from ARM's `inputSchemaMapping`, applied to every event.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from typing import Any

from emulators.eventgrid.errors import Misstated
from emulators.eventgrid.paths import lookup

_WITH_DEFAULT = ("eventType", "subject", "dataVersion")
_WITHOUT_DEFAULT = ("id", "topic", "eventTime")


@dataclass(frozen=True, slots=True)
class Field:
    """Where one field comes from: a path in the event, else a constant."""

    source: str | None = None
    default: str | None = None

    def find(self, event: AbstractMapping[str, Any]) -> str | None:
        """The field's text in `event`, or None."""
        if self.source is not None:
            value = lookup(event, self.source)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
        return self.default


@dataclass(frozen=True, slots=True)
class Mapped:
    """The envelope's fields as found in one event; None where nothing was found."""

    id: str | None
    topic: str | None
    event_time: str | None
    event_type: str | None
    subject: str | None
    data_version: str | None

    @property
    def missing(self) -> str | None:
        """The first field that every event must have and this one lacks, by its JSON name."""
        needed = {"eventType": self.event_type, "subject": self.subject, "dataVersion": self.data_version}
        return next((name for name, value in needed.items() if value is None), None)


@dataclass(frozen=True, slots=True)
class Mapping:
    """All six fields' origins."""

    fields: AbstractMapping[str, Field]

    def apply(self, event: AbstractMapping[str, Any]) -> Mapped:
        """The envelope's fields in `event`."""
        found = {name: field.find(event) for name, field in self.fields.items()}
        return Mapped(
            found.get("id"),
            found.get("topic"),
            found.get("eventTime"),
            found.get("eventType"),
            found.get("subject"),
            found.get("dataVersion"),
        )


NO_MAPPING = Mapping({})


def parse_mapping(document: object) -> Mapping:
    """A mapping from ARM's `inputSchemaMapping`. Raises Misstated naming the member that is wrong."""
    if document is None:
        return NO_MAPPING
    if not isinstance(document, dict) or document.get("inputSchemaMappingType") != "Json":
        raise Misstated("inputSchemaMapping.inputSchemaMappingType must be 'Json'")
    properties = document.get("properties", {})
    if not isinstance(properties, dict):
        raise Misstated("inputSchemaMapping.properties must be an object")
    if unknown := set(properties) - {*_WITH_DEFAULT, *_WITHOUT_DEFAULT}:
        raise Misstated(f"inputSchemaMapping.properties.{min(unknown)} is not known")
    return Mapping({name: _parse_field(name, each) for name, each in properties.items() if each is not None})


def _parse_field(name: str, document: object) -> Field:
    allowed = {"sourceField", "defaultValue"} if name in _WITH_DEFAULT else {"sourceField"}
    if not isinstance(document, dict) or set(document) - allowed:
        raise Misstated(f"inputSchemaMapping.properties.{name} takes {sorted(allowed)}")
    for member, value in document.items():
        if value is not None and not isinstance(value, str):
            raise Misstated(f"inputSchemaMapping.properties.{name}.{member} must be a string")
    return Field(document.get("sourceField"), document.get("defaultValue"))
