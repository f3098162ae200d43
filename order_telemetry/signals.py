"""Every span and metric by name: what it tells, in which unit, with which attributes. docs/OBSERVABILITY.md shows this.

Names that OpenTelemetry's semantic conventions have are theirs; the others begin with `orders.`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    attributes: tuple[str, ...] = ()


COMMANDS = Metric("orders.commands", "counter", "{command}", "Commands answered, by what came of them", ("result",))
CONFLICTS = Metric(
    "orders.command.conflicts",
    "counter",
    "{conflict}",
    "Attempts to commit that found the order changed meanwhile, or there already",
)
PUBLISHED = Metric(
    "orders.events.published", "counter", "{event}", "Events that Event Grid has accepted, by who sent them", ("by",)
)
DEFERRED = Metric(
    "orders.events.deferred", "counter", "{event}", "Events that Event Grid did not take in time: they stay pending"
)
PENDING = Metric("orders.events.pending", "gauge", "{event}", "Pending events beyond the grace that the relay found")
PENDING_AGE = Metric("orders.events.pending_age", "gauge", "s", "Age of the oldest of them; 0 when there is none")
PROJECTED = Metric(
    "orders.projections", "counter", "{event}", "Events taken in, by what became of the view", ("result",)
)
PROJECTION_LAG = Metric("orders.projection.lag", "histogram", "s", "From an event's moment to its place in the views")
PARKED = Metric("orders.events.parked", "counter", "{event}", "Deliveries of events that can never be applied")
ORDER_READS = Metric("orders.reads", "counter", "{query}", "GetOrder answers, by the side they came from", ("source",))
SERVER_SECONDS = Metric(
    "http.server.request.duration",
    "histogram",
    "s",
    "Requests answered",
    ("faas.name", "http.request.method", "http.response.status_code"),
)
CALL_SECONDS = Metric(
    "http.client.request.duration",
    "histogram",
    "s",
    "Requests that the SDKs sent, repetitions included",
    ("orders.dependency", "orders.operation", "http.response.status_code"),
)
REQUEST_CHARGE = Metric(
    "azure.cosmosdb.client.operation.request_charge",
    "histogram",
    "{request_unit}",
    "What Cosmos DB charged for each request",
    ("orders.operation", "http.response.status_code"),
)

METRICS = (
    COMMANDS,
    CONFLICTS,
    PUBLISHED,
    DEFERRED,
    PENDING,
    PENDING_AGE,
    PROJECTED,
    PROJECTION_LAG,
    PARKED,
    ORDER_READS,
    SERVER_SECONDS,
    CALL_SECONDS,
    REQUEST_CHARGE,
)

COMMAND_SPAN = "execute command"
PUBLISH_SPAN = "publish OrderStatusUpdated"
RELAY_SPAN = "relay pending events"
PROJECT_SPAN = "project OrderStatusUpdated"
