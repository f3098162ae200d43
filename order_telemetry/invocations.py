"""The span around an HTTP-triggered function: whose child it is, and how it ended."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

import azure.functions as func

from order_telemetry.logs import correlated
from order_telemetry.port import SpanKind, Telemetry
from order_telemetry.signals import SERVER_SECONDS

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})\Z")
SAMPLED = 0x01
SERVER_ERROR = 500


async def answered(
    telemetry: Telemetry,
    request: func.HttpRequest,
    context: func.Context,
    answer: Callable[[], Awaitable[func.HttpResponse]],
) -> func.HttpResponse:
    """What `answer` answers, told to `telemetry`."""
    name, method = str(context.function_name), str(request.method)
    parent = parent_of(request.headers.get("traceparent"), getattr(context.trace_context, "trace_parent", None))
    if not telemetry.recording:
        with correlated(parent):
            return await answer()
    begun = time.perf_counter()
    about = {"faas.name": name, "http.request.method": method}
    status = 500
    try:
        with (
            telemetry.span(name, SpanKind.SERVER, about, parent=parent) as span,
            correlated(span.traceparent),
        ):
            response = await answer()
            status = response.status_code
            span.note({"http.response.status_code": status})
            if status >= SERVER_ERROR:
                span.fail(f"answered {status}")
        return response
    finally:
        seconds = time.perf_counter() - begun
        telemetry.add(SERVER_SECONDS, seconds, {**about, "http.response.status_code": status})


def parent_of(caller: str | None, host: str | None) -> str | None:
    """Whose child an invocation is: the host's own span if the host records it, else the caller's, if there is any.

    The host hands a context to every invocation, also when it records nothing. Following such a one would either cut
    the caller off or, for want of its sampled flag, keep the invocation from being recorded at all.
    """
    recorded = TRACEPARENT.match(host or "")
    if recorded and int(recorded[2], 16) & SAMPLED:
        return host
    return caller if TRACEPARENT.match(caller or "") else None
