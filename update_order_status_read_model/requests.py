"""From an HTTP request to a query. Whatever is wrong with it is refused here, before anything is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from order_events import ORDER_ID_RULE, OrderStatus, is_order_id
from update_order_status_read_model.errors import INVALID_QUERY, Refused
from update_order_status_read_model.limits import (
    CONTINUATION_TOKEN_CHARACTERS_MAX,
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    QUERY_PARAMETERS_MAX,
    WAIT_MILLISECONDS_MAX,
)

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


def read_order_id(request: func.HttpRequest) -> str:
    """The order in the route. Raises Refused when it cannot be one."""
    order_id: str = request.route_params.get("orderId", "")
    if not is_order_id(order_id):
        raise invalid("orderId", f"takes {ORDER_ID_RULE}")
    return order_id


def read_parameters(request: func.HttpRequest, model: type[Parameters]) -> Parameters:
    """The query parameters, as `model` has them. Raises Refused, naming each that is wrong."""
    # From the address: the host passes no parameter on that is empty, and runs together those that are repeated.
    try:
        given = parse_qsl(urlsplit(request.url).query, keep_blank_values=True, max_num_fields=QUERY_PARAMETERS_MAX)
    except ValueError as failure:
        raise invalid("query", f"has more than {QUERY_PARAMETERS_MAX} parameters") from failure
    names = [name for name, _ in given if name.lower() != "code"]  # the function key, when it comes in the address
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise invalid(twice, "is given more than once")
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


def is_known(request: func.HttpRequest, tag: str) -> bool:
    """Whether the caller has this version. If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    text = request.headers.get("If-None-Match", "")
    return text.strip() == "*" or tag in _ENTITY_TAG.findall(text)


def invalid(field: str, detail: str) -> Refused:
    """The refusal that names one thing."""
    return Refused(INVALID_QUERY, f"{field} {detail}.", errors=[{"field": field, "detail": detail}])
