"""The file given by --config: topics and event subscriptions that are there from the start, in ARM's own words.

    [[topics]]
    name = "orders"
    properties = { inputSchema = "EventGridSchema" }

    [[topics.eventSubscriptions]]
    name = "read-model"
    properties.destination = { endpointType = "WebHook", properties = { endpointUrl = "http://127.0.0.1:7000/" } }

`domains` have `topics` of their own, and `systemTopics` the properties `source` and `topicType`. TOML, or JSON of the
same shape by the file's suffix. Only the shape is checked here; what properties mean is checked where ARM's are.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECTIONS = {"topics": "topic", "domains": "domain", "systemTopics": "systemTopic"}
"""A section of the file and what its entries are."""
_SUBSCRIPTIONS = "eventSubscriptions"


class ConfigurationError(ValueError):
    """The file cannot be used. The text names the file and the place."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A source of the file: its kind, name and ARM body, and its subscriptions' properties by their names.

    A topic of a domain is a domainTopic named `domain/topic`.
    """

    kind: str
    name: str
    body: Mapping[str, Any]
    subscriptions: Mapping[str, Mapping[str, Any]]


def read_configuration(file: Path) -> list[Configured]:
    """What a configuration file asks for, in its order. Raises ConfigurationError."""
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as failure:
        raise ConfigurationError(f"{file}: {failure}") from failure
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{file}: it must hold an object with topics, domains or systemTopics")
    if unknown := set(document) - set(SECTIONS):
        raise ConfigurationError(f"{file}: {min(unknown)} is not known; there are {', '.join(SECTIONS)}")
    return list(_configured(document, str(file)))


def _configured(document: Mapping[str, Any], where: str) -> Iterator[Configured]:
    for section, kind in SECTIONS.items():
        for name, entry in _entries(document, section, where).items():
            place = f"{where}: {kind} '{name}'"
            children = ("name", _SUBSCRIPTIONS, "topics") if kind == "domain" else ("name", _SUBSCRIPTIONS)
            body = {member: each for member, each in entry.items() if member not in children}
            yield Configured(kind, name, body, _subscriptions(entry, place))
            if kind == "domain":
                for topic, inner in _entries(entry, "topics", place).items():
                    subscriptions = _subscriptions(inner, f"{place}, topic '{topic}'")
                    yield Configured("domainTopic", f"{name}/{topic}", {}, subscriptions)


def _subscriptions(entry: Mapping[str, Any], where: str) -> dict[str, Mapping[str, Any]]:
    return {name: each.get("properties", {}) for name, each in _entries(entry, _SUBSCRIPTIONS, where).items()}


def _entries(document: Mapping[str, Any], member: str, where: str) -> dict[str, Mapping[str, Any]]:
    """The list under `member` by its entries' names."""
    entries = document.get(member, [])
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) for each in entries):
        raise ConfigurationError(f"{where}: {member} must be an array of tables")
    named = {name: each for each in entries if isinstance(name := each.get("name"), str) and name}
    if len(named) < len(entries):
        raise ConfigurationError(f"{where}: every entry of {member} needs a name of its own")
    return named
