"""The SDKs' transport, with a span and measurements around each request: what really went over the wire, repetitions
of the SDK included."""

from __future__ import annotations

import time
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

from order_telemetry.port import SpanKind, Telemetry
from order_telemetry.signals import CALL_SECONDS, REQUEST_CHARGE

Dependency = Literal["cosmos", "eventgrid"]

STATUS = "http.response.status_code"
THROTTLED, SERVER_ERROR = 429, 500
"""Failures of the service. Other refusals are answers that we ask for: is it there, is it still as I saw it."""
NO_ANSWER = 0
"""What stands for the status of a request that got none."""
_BY_METHOD = {"GET": "read", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}
_BY_HEADER = {
    "x-ms-cosmos-is-batch-request": "batch",
    "x-ms-documentdb-isquery": "query",
    "x-ms-documentdb-is-upsert": "upsert",
}


class Transport(Protocol):
    """Makes a client's transport; a simulation has one of its own."""

    def __call__(self, telemetry: Telemetry, dependency: Dependency, *, proxy: bool) -> AsyncHttpTransport[Any, Any]:
        """The transport for calls to `dependency`."""


def transport(telemetry: Telemetry, dependency: Dependency, *, proxy: bool) -> AioHttpTransport:
    """The transport of an SDK's client; the plain one when nobody listens."""
    if not telemetry.recording:
        return AioHttpTransport(use_env_settings=proxy)
    return ObservedTransport(telemetry, dependency, use_env_settings=proxy)


class ObservedTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core imports it lazily, untyped
    """Sends requests and tells of them."""

    def __init__(self, telemetry: Telemetry, dependency: Dependency, **options: Any) -> None:
        super().__init__(**options)
        self._telemetry = telemetry
        self._dependency = dependency

    async def send(self, request: Any, **options: Any) -> Any:
        """Send `request`."""
        operation = "publish" if self._dependency == "eventgrid" else operation_of(request)
        about = {"orders.dependency": self._dependency, "orders.operation": operation}
        name, method = f"{self._dependency} {operation}", {"http.request.method": request.method}
        begun, status = time.perf_counter(), NO_ANSWER
        try:
            with self._telemetry.span(name, SpanKind.CLIENT, {**about, **method}) as span:
                response = await super().send(request, **options)
                status = response.status_code
                span.note({STATUS: status})
                if status == THROTTLED or status >= SERVER_ERROR:
                    span.fail(f"answered {status}")
                return response
        finally:
            self._telemetry.add(CALL_SECONDS, time.perf_counter() - begun, {**about, STATUS: status})
            if status != NO_ANSWER and (charge := response.headers.get("x-ms-request-charge")) is not None:
                self._telemetry.add(REQUEST_CHARGE, float(charge), {"orders.operation": operation, STATUS: status})


def operation_of(request: Any) -> str:
    """What a request asks of Cosmos DB, in one word."""
    if "/docs" not in urlsplit(request.url).path:
        return "metadata"
    if request.method != "POST":
        return _BY_METHOD.get(request.method, "other")
    headers = {name.lower(): str(value).lower() for name, value in request.headers.items()}
    return next((word for name, word in _BY_HEADER.items() if headers.get(name) == "true"), "create")
