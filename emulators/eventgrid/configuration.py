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
NAMESPACES = "namespaces"
"""The section that namespaces/configuration.py reads."""


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
    """The topics, domains and system topics of a configuration file, in its order. Raises ConfigurationError."""
    return list(_configured(read_document(file), str(file)))


def read_document(file: Path) -> Mapping[str, Any]:
    """The file as it is: TOML, or JSON by its suffix. Raises ConfigurationError."""
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as failure:
        raise ConfigurationError(f"{file}: {failure}") from failure
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{file}: the file must hold an object")
    if unknown := set(document) - {*SECTIONS, NAMESPACES}:
        raise ConfigurationError(f"{file}: {min(unknown)} is not known; there are {', '.join((*SECTIONS, NAMESPACES))}")
    return document


def _configured(document: Mapping[str, Any], where: str) -> Iterator[Configured]:
    for section, kind in SECTIONS.items():
        for name, entry in entries(document, section, where).items():
            place = f"{where}: {kind} '{name}'"
            topics = entries(entry, "topics", place) if kind == "domain" else {}
            yield configured(kind, name, {each: inner for each, inner in entry.items() if each != "topics"}, place)
            for topic, inner in topics.items():
                yield configured("domainTopic", f"{name}/{topic}", inner, f"{place}, topic '{topic}'")


def configured(kind: str, name: str, document: Mapping[str, Any], where: str) -> Configured:
    """A source with its event subscriptions. Raises ConfigurationError."""
    subscriptions = entries(document, "eventSubscriptions", where)
    body = {member: each for member, each in document.items() if member not in ("name", "eventSubscriptions")}
    return Configured(kind, name, body, {each: inner.get("properties", {}) for each, inner in subscriptions.items()})


def entries(document: Mapping[str, Any], member: str, where: str) -> dict[str, Mapping[str, Any]]:
    """The list under `member` by its entries' names. Raises ConfigurationError."""
    listed = document.get(member, [])
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise ConfigurationError(f"{where}: {member} must be an array of tables")
    named = {name: each for each in listed if isinstance(name := each.get("name"), str) and name}
    if len(named) < len(listed):
        raise ConfigurationError(f"{where}: every entry of {member} needs a name of its own")
    return named
