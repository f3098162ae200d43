"""Telemetry by OpenTelemetry. Knows its API; which exporters stand behind the providers is for `exporters`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from order_telemetry.port import NO_ATTRIBUTES, Attributes, Span, SpanKind, Telemetry
from order_telemetry.signals import METRICS, Metric

SCOPE = "orders"
_W3C = TraceContextTextMapPropagator()


class RecordedSpan(Span):
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(span))
        self.traceparent = carrier.get("traceparent")

    def note(self, attributes: Attributes) -> None:
        """Set attributes."""
        self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        """Set the status."""
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, reason))


class Recorder(Telemetry):
    """Records with the providers it is given; `flush` sends what they hold and ends them."""

    recording = True

    def __init__(self, tracers: trace.TracerProvider, meters: MeterProvider, flush: Callable[[], None]) -> None:
        self._tracer = tracers.get_tracer(SCOPE)
        meter = meters.get_meter(SCOPE)
        self._record = {metric.name: _instrument(meter, metric) for metric in METRICS}
        self._flush = flush

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
        """A recorded span."""
        context = _W3C.extract({"traceparent": parent}) if parent else None
        span = self._tracer.start_span(name, context, trace.SpanKind[kind.value], attributes)
        if current:
            with trace.use_span(span, end_on_exit=True):
                yield RecordedSpan(span)
            return
        try:
            yield RecordedSpan(span)
        finally:
            span.end()

    def add(self, metric: Metric, amount: float, attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Count or measure."""
        self._record[metric.name](amount, attributes)

    def close(self) -> None:
        """Send what has not been sent yet."""
        self._flush()


def _instrument(meter: Meter, metric: Metric) -> Callable[..., None]:
    match metric.kind:
        case "counter":
            return meter.create_counter(metric.name, metric.unit, metric.meaning).add
        case "gauge":
            return meter.create_gauge(metric.name, metric.unit, metric.meaning).set
        case "histogram":
            return meter.create_histogram(metric.name, metric.unit, metric.meaning).record
