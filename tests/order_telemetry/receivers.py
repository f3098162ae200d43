"""Where telemetry arrives: fakes of an OTLP collector and of Azure Monitor's ingestion, which keep what they get."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from emulators.base.serving import Application, Bind, Request, Response
from tests.serving import served

ARRIVAL_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it arrived."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    attributes: dict[str, Any]
    service: str


@dataclass
class Receiver:
    """What has arrived, and waiting for more."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    """The latest of each name, as it came."""
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    """What Azure Monitor was sent."""
    authorizations: set[str] = field(default_factory=set)
    """What those requests bore to be let in; empty text for nothing."""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def until(self, met: Callable[[], bool]) -> None:
        """Wait until a condition on what has arrived is met."""
        with self._arrived:
            assert self._arrived.wait_for(met, ARRIVAL_SECONDS_MAX), [span.name for span in self.spans]

    def trace(self, trace_id: str) -> dict[str, list[ReceivedSpan]]:
        """The spans of one trace, by name."""
        by_name: dict[str, list[ReceivedSpan]] = {}
        for span in self.spans:
            if span.trace_id == trace_id:
                by_name.setdefault(span.name, []).append(span)
        return by_name

    async def handle(self, request: Request) -> Response:
        """Take one export."""
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        with self._arrived:
            match request.path.replace("//", "/"):  # Azure Monitor's exporter joins them so
                case "/v1/traces":
                    self.spans += _spans(ExportTraceServiceRequest.FromString(body))
                case "/v1/metrics":
                    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                        for scope in resource.scope_metrics:
                            self.metrics |= {metric.name: metric for metric in scope.metrics}
                case "/v2.1/track":
                    self.envelopes += _lines(body)
                    self.authorizations.add(request.headers.get("authorization", ""))
                case _:
                    return Response(404)
            self._arrived.notify_all()
        taken = json.dumps({"itemsReceived": len(self.envelopes), "itemsAccepted": len(self.envelopes), "errors": []})
        return Response(200, {"content-type": "application/json"}, taken.encode())


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for resource in request.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    span.kind,
                    _values(span.attributes),
                    service,
                )


def _values(attributes: Any) -> dict[str, Any]:
    def value(each: KeyValue) -> Any:
        which = each.value.WhichOneof("value")
        return getattr(each.value, which) if which else None

    return {each.key: value(each) for each in attributes}


def _lines(body: bytes) -> list[dict[str, Any]]:
    text = body.decode().strip()
    if text.startswith("["):
        envelopes: list[dict[str, Any]] = json.loads(text)
        return envelopes
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def receiver(bind: Bind | None = None) -> Iterator[Receiver]:
    """A receiver that is served."""
    receiving = Receiver()
    with served(lambda: Application(receiving.handle, lambda request: Response(413), 2**24), bind) as url:
        receiving.url = url
        yield receiving
