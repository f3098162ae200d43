"""What the service says about its work, and to whom when nobody listens. Imports no telemetry library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

from order_telemetry.signals import Metric

Attributes = Mapping[str, str | int | float | bool]
NO_ATTRIBUTES: Attributes = {}


class SpanKind(Enum):
    """A span's part in a conversation, as OpenTelemetry names it."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Span:
    """A piece of work under way. This one is recorded nowhere."""

    traceparent: str | None = None
    """How others refer to it (W3C Trace Context), or None when it is not recorded."""

    def note(self, attributes: Attributes) -> None:
        """Add what has become known."""

    def fail(self, reason: str) -> None:
        """Mark the work as failed. An exception that leaves the block does so by itself."""


class Telemetry:
    """Takes spans and measurements. This one drops them, which costs next to nothing."""

    recording = False

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = NO_ATTRIBUTES,
        *,
        parent: str | None = None,
        current: bool = True,
    ) -> Iterator[Span]:
        """A span around the block: a child of `parent` (a traceparent), or else of the span that is current.

        Spans and requests inside the block become its children, unless it is not to be the `current` one.
        """
        yield _UNRECORDED

    def add(self, metric: Metric, amount: float, attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Count or measure `amount`."""

    def close(self) -> None:
        """Send what has not been sent yet."""


_UNRECORDED = Span()
SILENT = Telemetry()
