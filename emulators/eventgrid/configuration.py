"""The file given by --config: topics and event subscriptions that are there from the start, in ARM's own words.

    [[topics]]
    name = "orders"
    properties = { inputSchema = "EventGridSchema" }

    [[topics.eventSubscriptions]]
    name = "read-model"
    properties.destination = { endpointType = "WebHook", properties = { endpointUrl = "http://127.0.0.1:7000/" } }

TOML, or JSON of the same shape by the file's suffix. Only the shape is checked here; what properties mean is checked
where ARM's are.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ConfigurationError(ValueError):
    """The file cannot be used. The text names the file and the place."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A topic of the file: its ARM body, and its subscriptions' properties by their names."""

    name: str
    body: Mapping[str, Any]
    subscriptions: Mapping[str, Mapping[str, Any]]


def read_configuration(file: Path) -> list[Configured]:
    """The topics of a configuration file. Raises ConfigurationError."""
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as failure:
        raise ConfigurationError(f"{file}: {failure}") from failure
    topics = _entries(document, "topics", str(file))
    return [_topic(name, topic, f"{file}: topic '{name}'") for name, topic in topics.items()]


def _topic(name: str, document: Mapping[str, Any], where: str) -> Configured:
    subscriptions = _entries(document, "eventSubscriptions", where)
    body = {member: each for member, each in document.items() if member not in ("name", "eventSubscriptions")}
    return Configured(name, body, {each: inner.get("properties", {}) for each, inner in subscriptions.items()})


def _entries(document: object, member: str, where: str) -> dict[str, Mapping[str, Any]]:
    """The list under `member` by its entries' names."""
    entries = document.get(member, []) if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) for each in entries):
        raise ConfigurationError(f"{where}: {member} must be an array of tables")
    named = {name: each for each in entries if isinstance(name := each.get("name"), str) and name}
    if len(named) < len(entries):
        raise ConfigurationError(f"{where}: every entry of {member} needs a name of its own")
    return named
