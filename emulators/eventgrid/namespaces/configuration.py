"""The namespaces of the file given by --config, in ARM's own words.

    [[namespaces]]
    name = "sales"

    [[namespaces.topics]]
    name = "orders"

    [[namespaces.topics.eventSubscriptions]]
    name = "shipping"
    properties.deliveryConfiguration = { deliveryMode = "Queue", queue = { receiveLockDurationInSeconds = 60 } }

Only the shape is checked here; what properties mean is checked where ARM's are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulators.eventgrid.configuration import NAMESPACES, Configured, configured, entries, read_document


@dataclass(frozen=True, slots=True)
class ConfiguredNamespace:
    """A namespace of the file: its ARM body and its topics."""

    name: str
    body: Mapping[str, Any]
    topics: tuple[Configured, ...]


def read_namespaces(file: Path) -> list[ConfiguredNamespace]:
    """The namespaces of a configuration file. Raises ConfigurationError."""
    found = []
    for name, document in entries(read_document(file), NAMESPACES, str(file)).items():
        where = f"{file}: namespace '{name}'"
        topics = entries(document, "topics", where)
        body = {member: each for member, each in document.items() if member not in ("name", "topics")}
        found.append(
            ConfiguredNamespace(
                name,
                body,
                tuple(configured("topic", each, topic, f"{where}: topic '{each}'") for each, topic in topics.items()),
            )
        )
    return found
