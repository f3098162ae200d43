"""A custom topic as a resource: ARM's body in, a `Topic`, ARM's body out.

Pure. It must not know who publishes or subscribes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emulators.eventgrid import limits
from emulators.eventgrid.errors import ARM_INVALID_REQUEST, Misstated, Refused
from emulators.eventgrid.mapping import NO_MAPPING, parse_mapping
from emulators.eventgrid.mapping import Mapping as InputMapping
from emulators.eventgrid.schemas import Schema

RESOURCE_TYPE = "Microsoft.EventGrid/topics"
_NAME = re.compile(r"[A-Za-z0-9-]+")


def topic_id(group_id: str, name: str) -> str:
    """The ARM id of a topic in the resource group of that id."""
    return f"{group_id}/providers/{RESOURCE_TYPE}/{name}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `properties` is what the user said, shown back; the rest is what follows from it."""

    id: str
    name: str
    keys: tuple[str, str]
    schema: Schema = Schema.EVENT_GRID
    mapping: InputMapping = NO_MAPPING
    local_auth: bool = True
    location: str = "local"
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """The keys that open this topic now."""
        return self.keys if self.local_auth else ()

    @property
    def path(self) -> str:
        """Where its events are posted."""
        return f"/{self.name}/api/events"

    def document(self) -> dict[str, Any]:
        """Everything that must be kept."""
        return {
            "id": self.id,
            "keys": list(self.keys),
            "body": {"location": self.location, "tags": dict(self.tags), "properties": dict(self.properties)},
        }

    def shown(self, base_url: str) -> dict[str, Any]:
        """The topic as ARM answers it; never its keys."""
        return {
            "id": self.id,
            "name": self.name,
            "type": RESOURCE_TYPE,
            "location": self.location,
            "tags": dict(self.tags),
            "sku": {"name": "Basic"},
            "kind": "Azure",
            "properties": {
                "publicNetworkAccess": "Enabled",
                "disableLocalAuth": False,
                **self.properties,
                "inputSchema": self.schema.value,
                "provisioningState": "Succeeded",
                "endpoint": base_url + self.path,
                "metricResourceId": self.metric_id,
            },
        }

    @property
    def metric_id(self) -> str:
        """A number-like name for metrics: stable, since it is the topic's own name."""
        return self.name.lower()

    def with_key(self, name: str, key: str) -> Topic:
        """The same topic with one key replaced (`key1` or `key2`)."""
        first, second = self.keys
        return replace(self, keys=(key, second) if name == "key1" else (first, key))


def topic_from_document(document: Mapping[str, Any]) -> Topic:
    """A topic as `Topic.document` kept it."""
    first, second = document["keys"]
    return parse_topic(document["id"], document["body"], (first, second))


def parse_topic(arm_id: str, body: object, keys: tuple[str, str]) -> Topic:
    """A topic from the body of a PUT. Raises Refused naming the member that is wrong."""
    name = arm_id.rpartition("/")[2]
    shortest, longest = limits.TOPIC_NAME_CHARACTERS
    if not (shortest <= len(name) <= longest and _NAME.fullmatch(name)):
        raise _invalid(
            f"The topic name '{name}' is invalid: {shortest} to {longest} characters of a-z, A-Z, 0-9 and '-'."
        )
    if not isinstance(body, Mapping):
        raise _invalid("The body of a topic must be a JSON object.")
    properties = body.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise _invalid("properties must be an object.")
    schema_name = properties.get("inputSchema") or Schema.EVENT_GRID.value
    if schema_name not in {each.value for each in Schema}:
        raise _invalid(f"properties.inputSchema must be one of {', '.join(Schema)}, not {schema_name!r:.50}.")
    schema = Schema(schema_name)
    mapping = _mapping(properties.get("inputSchemaMapping"), schema)
    disabled = properties.get("disableLocalAuth")
    if disabled is not None and not isinstance(disabled, bool):
        raise _invalid("properties.disableLocalAuth must be true or false.")
    tags = body.get("tags") or {}
    if not isinstance(tags, Mapping) or not all(isinstance(each, str) for each in tags.values()):
        raise _invalid("tags must be an object of strings.")
    shown = {name: each for name, each in properties.items() if name not in _READ_ONLY}
    return Topic(arm_id, name, keys, schema, mapping, not disabled, str(body.get("location") or "local"), tags, shown)


_READ_ONLY = frozenset(("provisioningState", "endpoint", "metricResourceId", "privateEndpointConnections"))


def _mapping(document: object, schema: Schema) -> InputMapping:
    if document is not None and schema is not Schema.CUSTOM:
        raise _invalid("properties.inputSchemaMapping is for topics whose inputSchema is CustomEventSchema.")
    try:
        return parse_mapping(document)
    except Misstated as failure:
        raise _invalid(f"properties.{failure}.") from failure


def _invalid(message: str) -> Refused:
    return Refused(ARM_INVALID_REQUEST, message)
