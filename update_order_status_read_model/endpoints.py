"""What the HTTP functions answer: query, result, HTTP. Knows nothing of storage."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import azure.functions as func

from order_telemetry import EventLog
from update_order_status_read_model.errors import (
    FAILED,
    THROTTLED,
    UNAVAILABLE,
    Refused,
    StoreThrottled,
    StoreUnavailable,
)
from update_order_status_read_model.limits import RETRY_AFTER_SECONDS
from update_order_status_read_model.models import OrderBody
from update_order_status_read_model.paging import TokenRefused
from update_order_status_read_model.queries import Queries
from update_order_status_read_model.requests import (
    GetOrderParameters,
    ListOrdersParameters,
    NoParameters,
    PageParameters,
    invalid,
    is_known,
    read_order_id,
    read_parameters,
)
from update_order_status_read_model.store import ListFilter

log = EventLog(__name__)

Connect = Callable[[], Awaitable[Queries]]


async def get_order(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/orders/{orderId}."""
    try:
        order_id, asked = read_order_id(request), read_parameters(request, GetOrderParameters)
        with _refusing_failures():
            found = await (await connect()).get_order(order_id, asked.min_version, asked.wait_ms / 1000)
        tag = f'"{found.view.version}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Read-Source": found.source}
        if is_known(request, tag):
            return func.HttpResponse(status_code=304, headers=headers)
        return _response(200, OrderBody.of(found.view).document(), headers)
    except Refused as refused:
        return _problem(refused)


async def list_orders(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/orders."""
    try:
        asked = read_parameters(request, ListOrdersParameters)
        which = ListFilter(asked.status, asked.updated_since)
        with _refusing_failures():
            page = await (await connect()).list_orders(which, asked.page_size, asked.continuation_token)
        return _response(200, page.document())
    except Refused as refused:
        return _problem(refused)


async def get_order_history(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/orders/{orderId}/history."""
    try:
        order_id, asked = read_order_id(request), read_parameters(request, PageParameters)
        with _refusing_failures():
            history = await (await connect()).get_history(order_id, asked.page_size, asked.continuation_token)
        return _response(200, history.document())
    except Refused as refused:
        return _problem(refused)


async def get_order_summary(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/order-summary."""
    try:
        read_parameters(request, NoParameters)
        with _refusing_failures():
            summary = await (await connect()).get_summary()
        return _response(200, summary.document())
    except Refused as refused:
        return _problem(refused)


@contextmanager
def _refusing_failures() -> Iterator[None]:
    try:
        yield
    except Refused:
        raise
    except TokenRefused as failure:
        raise invalid("continuationToken", f"is refused: {failure}") from failure
    except StoreThrottled as failure:
        raise Refused(THROTTLED, str(failure), retry_after_seconds=failure.retry_after_seconds) from failure
    except StoreUnavailable as failure:
        raise Refused(UNAVAILABLE, str(failure), retry_after_seconds=RETRY_AFTER_SECONDS) from failure
    except Exception as failure:
        log.mistake("query failed")
        raise Refused(FAILED, "The answer is not known; asking again is safe.") from failure


def _problem(refused: Refused) -> func.HttpResponse:
    headers = {}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after_seconds)))
    return _response(refused.problem.status, refused.body().document(), headers, "application/problem+json")


def _response(
    status: int, document: object, headers: Mapping[str, str] | None = None, media_type: str = "application/json"
) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(document), status_code=status, headers=dict(headers or {}), mimetype=media_type)
