"""What the service tells of itself: spans, metrics and log lines, and by which exporter they leave.

Both sides speak to `Telemetry`; OpenTelemetry stands behind it when a setting asks for an exporter, and is not even
imported otherwise. Knows nothing of orders but names; knows neither side.
"""

from order_telemetry.invocations import answered, parent_of
from order_telemetry.logs import EventLog, correlated
from order_telemetry.port import SILENT, Span, SpanKind, Telemetry

__all__ = [
    "SILENT",
    "EventLog",
    "Span",
    "SpanKind",
    "Telemetry",
    "answered",
    "correlated",
    "parent_of",
]
