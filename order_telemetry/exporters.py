"""Where spans and metrics go: OpenTelemetry's SDK with the exporter that the settings name. Imported only then."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from order_telemetry.recorder import Recorder
from order_telemetry.settings import TelemetrySettings


def open_recorder(settings: TelemetrySettings) -> Recorder:
    """A recorder that exports at every interval, and once more when the process ends."""
    spans, measurements = _exporters(settings)
    resource = Resource.create({"service.name": settings.service_name})
    milliseconds = settings.interval_seconds * 1000
    # Both providers flush at the interpreter's end by themselves; a worker that is killed loses one interval.
    tracers = TracerProvider(resource=resource)
    trace.set_tracer_provider(tracers)  # where Azure Monitor's exporter looks for the resource
    tracers.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=milliseconds))
    reader = PeriodicExportingMetricReader(measurements, export_interval_millis=milliseconds)
    meters = MeterProvider(resource=resource, metric_readers=[reader])

    def close() -> None:
        tracers.shutdown()
        meters.shutdown()

    return Recorder(tracers, meters, close)


def _exporters(settings: TelemetrySettings) -> tuple[SpanExporter, MetricExporter]:
    match settings.exporter:
        case (
            "otlp"
        ):  # its addresses, headers and protocol details are OpenTelemetry's own settings, OTEL_EXPORTER_OTLP_*
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            seconds_max = settings.otlp_export_seconds_max
            return OTLPSpanExporter(timeout=seconds_max), OTLPMetricExporter(timeout=seconds_max)
        case "azuremonitor":
            from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter

            return (
                AzureMonitorTraceExporter(connection_string=settings.azure_monitor_connection),
                AzureMonitorMetricExporter(connection_string=settings.azure_monitor_connection),
            )
        case _:
            return ConsoleSpanExporter(), ConsoleMetricExporter()
