"""HTTP to query, result to HTTP. Knows nothing of storage."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from order_events import ORDER_ID_RULE, OrderStatus, is_order_id
from order_telemetry import EventLog
from update_order_status_read_model.errors import (
    FAILED,
    INVALID_QUERY,
    THROTTLED,
    UNAVAILABLE,
    Refused,
    StoreThrottled,
    StoreUnavailable,
)
from update_order_status_read_model.limits import (
    CONTINUATION_TOKEN_CHARACTERS_MAX,
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    RETRY_AFTER_SECONDS,
    WAIT_MILLISECONDS_MAX,
)
from update_order_status_read_model.models import OrderBody
from update_order_status_read_model.paging import TokenRefused
from update_order_status_read_model.queries import Queries
from update_order_status_read_model.store import ListFilter

log = EventLog(__name__)

Connect = Callable[[], Awaitable[Queries]]
Parameters = TypeVar("Parameters", bound=BaseModel)

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.ASCII | re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def _check_digits(text: object) -> object:
    """Pydantic would read more as a number than the contract says: signs, underscores, fractions, spaces."""
    if isinstance(text, str) and not re.fullmatch(r"[0-9]{1,16}", text):
        raise ValueError("takes a whole number in digits")
    return text


def _check_moment(text: object) -> object:
    """Pydantic would read bare numbers as moments too."""
    if isinstance(text, str) and not _RFC_3339.match(text):
        raise ValueError("takes a moment of RFC 3339 with its offset, for example 2026-01-02T03:04:05Z")
    return text


DIGITS = BeforeValidator(_check_digits)
Rfc3339 = Annotated[AwareDatetime, BeforeValidator(_check_moment)]


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)


class GetOrderParameters(_Parameters):
    """The query parameters of GetOrder."""

    min_version: Annotated[int, Field(ge=0, le=10**15), DIGITS] = 0
    wait_ms: Annotated[int, Field(ge=0, le=WAIT_MILLISECONDS_MAX), DIGITS] = 0


class PageParameters(_Parameters):
    """The query parameters of whatever comes in pages."""

    page_size: Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX), DIGITS] = PAGE_SIZE
    continuation_token: Annotated[str, Field(max_length=CONTINUATION_TOKEN_CHARACTERS_MAX)] | None = None


class ListOrdersParameters(PageParameters):
    """The query parameters of ListOrders."""

    status: OrderStatus | None = None
    updated_since: Rfc3339 | None = None


class NoParameters(_Parameters):
    """A query without parameters."""


async def get_order(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/orders/{orderId}."""
    try:
        order_id, asked = _read_order_id(request), _read_parameters(request, GetOrderParameters)
        with _refusing_failures():
            found = await (await connect()).get_order(order_id, asked.min_version, asked.wait_ms / 1000)
        tag = f'"{found.view.version}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Read-Source": found.source}
        if _is_known(request, tag):
            return func.HttpResponse(status_code=304, headers=headers)
        return _response(200, OrderBody.of(found.view).document(), headers)
    except Refused as refused:
        return _problem(refused)


async def list_orders(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/orders."""
    try:
        asked = _read_parameters(request, ListOrdersParameters)
        which = ListFilter(asked.status, asked.updated_since)
        with _refusing_failures():
            page = await (await connect()).list_orders(which, asked.page_size, asked.continuation_token)
        return _response(200, page.document())
    except Refused as refused:
        return _problem(refused)


async def get_order_history(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/orders/{orderId}/history."""
    try:
        order_id, asked = _read_order_id(request), _read_parameters(request, PageParameters)
        with _refusing_failures():
            history = await (await connect()).get_history(order_id, asked.page_size, asked.continuation_token)
        return _response(200, history.document())
    except Refused as refused:
        return _problem(refused)


async def get_order_summary(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The answer to GET /api/order-summary."""
    try:
        _read_parameters(request, NoParameters)
        with _refusing_failures():
            summary = await (await connect()).get_summary()
        return _response(200, summary.document())
    except Refused as refused:
        return _problem(refused)


def _read_order_id(request: func.HttpRequest) -> str:
    order_id: str = request.route_params.get("orderId", "")
    if not is_order_id(order_id):
        raise _invalid("orderId", f"takes {ORDER_ID_RULE}")
    return order_id


def _read_parameters(request: func.HttpRequest, model: type[Parameters]) -> Parameters:
    # From the address: the host passes no parameter on that is empty, and runs together those that are repeated.
    given = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    names = [name for name, _ in given if name.lower() != "code"]  # the function key, when it comes in the address
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _invalid(twice, "is given more than once")
    try:
        return model.model_validate({name: text for name, text in given if name in names})
    except ValidationError as failure:
        faults = [_describe(dict(each)) for each in failure.errors(include_url=False, include_input=False)]
        raise Refused(INVALID_QUERY, "Query parameters are wrong; see errors.", errors=faults) from failure


def _describe(error: Mapping[str, Any]) -> dict[str, Any]:
    fault: dict[str, Any] = {"field": ".".join(str(part) for part in error["loc"]), "detail": error["msg"]}
    if error["type"] == "enum":
        fault["allowed"] = [status.value for status in OrderStatus]
    return fault


def _is_known(request: func.HttpRequest, tag: str) -> bool:
    """Whether the caller has this version. If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    text = request.headers.get("If-None-Match", "")
    return text.strip() == "*" or tag in _ENTITY_TAG.findall(text)


def _invalid(field: str, detail: str) -> Refused:
    return Refused(INVALID_QUERY, f"{field} {detail}.", errors=[{"field": field, "detail": detail}])


@contextmanager
def _refusing_failures() -> Iterator[None]:
    try:
        yield
    except Refused:
        raise
    except TokenRefused as failure:
        raise _invalid("continuationToken", f"is refused: {failure}") from failure
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
