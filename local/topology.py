"""Reads topology.toml: which databases, containers, topics and subscriptions the order service needs.

Knows nothing of how they are made (provision.py) or of processes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("topology.toml")


@dataclass(frozen=True, slots=True)
class Container:
    """A Cosmos DB container: its partition key path, and its indexing policy as Cosmos DB takes it."""

    name: str
    partition_key: str
    indexing_policy: Mapping[str, Any] | None
    default_ttl_seconds: int | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """An event subscription whose destination is a function's webhook and whose dead letters go to a blob container."""

    name: str
    function: str
    dead_letter_container: str
    delivery_attempts_max: int
    event_time_to_live_minutes: int
    delivery_schema: str
    filter: Mapping[str, Any] = field(default_factory=dict)
    """As Event Grid takes it; empty lets every event through."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault rule in force from each start on: the service that has it, and the rule as docs/FAULTS.md has it."""

    service: str
    rule: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that is provisioned before the service runs."""

    database: str
    containers: tuple[Container, ...]
    topic: str
    input_schema: str
    subscriptions: tuple[Subscription, ...]
    blob_containers: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    """App settings that differ from local.settings.json."""
    faults: tuple[Fault, ...] = ()


def read_topology(file: Path = FILE) -> Topology:
    """The topology in `file`. A missing member is a KeyError that names it."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    cosmos, eventgrid = document["cosmos"], document["eventgrid"]
    return Topology(
        database=cosmos["database"],
        containers=tuple(
            Container(each["name"], each["partitionKey"], each.get("indexingPolicy"), each.get("defaultTtl"))
            for each in cosmos["containers"]
        ),
        topic=eventgrid["topic"],
        input_schema=eventgrid["inputSchema"],
        subscriptions=tuple(
            Subscription(
                each["name"],
                each["function"],
                each["deadLetterContainer"],
                each["maxDeliveryAttempts"],
                each["eventTimeToLiveInMinutes"],
                each["eventDeliverySchema"],
                each.get("filter", {}),
            )
            for each in eventgrid["subscriptions"]
        ),
        blob_containers=tuple(document["storage"]["containers"]),
        faults=tuple(
            Fault(each["service"], {name: each[name] for name in each if name != "service"})
            for each in document.get("faults", ())
        ),
    )
