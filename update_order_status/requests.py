"""From an HTTP request to a command. Whatever is wrong with it is refused here, before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import azure.functions as func
from pydantic import BaseModel, TypeAdapter, ValidationError

from order_events import OrderStatus
from update_order_status.domain import UpdateOrderStatus
from update_order_status.errors import INVALID_REQUEST, TOO_LARGE, Refused
from update_order_status.limits import (
    BATCH_BYTES_MAX,
    BATCH_KEY_CHARACTERS_MAX,
    COMMAND_BYTES_MAX,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
)
from update_order_status.models import (
    ENTITY_TAGS_PATTERN,
    BatchKey,
    IdempotencyKey,
    UpdateOrderStatusBody,
    UpdateOrderStatusesBody,
)

Body = TypeVar("Body", bound=BaseModel)

_KEY: TypeAdapter[str] = TypeAdapter(IdempotencyKey)
_BATCH_KEY: TypeAdapter[str] = TypeAdapter(BatchKey)
_ENTITY_TAGS = re.compile(ENTITY_TAGS_PATTERN + r"\Z")
_STRONG_VERSION = re.compile(r'(?<!W/)"(\d{1,15})"')
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


def read_key(request: func.HttpRequest) -> str | None:
    """The caller's Idempotency-Key, or None. Raises Refused when it cannot be one."""
    return _read_key(request, _KEY, IDEMPOTENCY_KEY_CHARACTERS_MAX)


def read_batch_key(request: func.HttpRequest) -> str | None:
    """The same for a batch, from whose key those of its commands are made."""
    return _read_key(request, _BATCH_KEY, BATCH_KEY_CHARACTERS_MAX)


def _read_key(request: func.HttpRequest, allowed: TypeAdapter[str], limit: int) -> str | None:
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    try:
        return allowed.validate_python(text.strip())
    except ValidationError as failure:
        fault = {"field": "Idempotency-Key", "detail": f"takes 1 to {limit} characters of visible ASCII"}
        raise Refused(INVALID_REQUEST, "The Idempotency-Key header is not usable.", errors=[fault]) from failure


def read_command(request: func.HttpRequest, command_id: str, *, repeatable: bool) -> UpdateOrderStatus:
    """The command in `request`. Raises Refused, naming each field that is wrong."""
    body = _read_body(request, UpdateOrderStatusBody, COMMAND_BYTES_MAX)
    return UpdateOrderStatus(
        body.order_id, body.status, command_id, repeatable, _read_if_match(request), _read_traceparent(request)
    )


def read_commands(request: func.HttpRequest, batch_id: str, *, repeatable: bool) -> list[UpdateOrderStatus]:
    """The commands in `request`. One without a key of its own is named after the batch and its place in it."""
    body = _read_body(request, UpdateOrderStatusesBody, BATCH_BYTES_MAX)
    if request.headers.get("If-Match") is not None:
        raise _invalid("If-Match", "is not for batches; send the command by itself")
    traceparent = _read_traceparent(request)
    return [
        UpdateOrderStatus(
            each.order_id,
            each.status,
            each.idempotency_key or f"{batch_id}/{place}",
            repeatable or each.idempotency_key is not None,
            traceparent=traceparent,
        )
        for place, each in enumerate(body.commands)
    ]


def _read_body(request: func.HttpRequest, model: type[Body], bytes_max: int) -> Body:
    raw = request.get_body()
    if len(raw) > bytes_max:
        raise Refused(TOO_LARGE, f"The body has {len(raw)} bytes; {bytes_max} are allowed.")
    try:
        return model.model_validate_json(raw)
    except ValidationError as failure:
        faults = [_describe(dict(each)) for each in failure.errors(include_url=False, include_input=False)]
        raise Refused(INVALID_REQUEST, "The body is not a valid command; see errors.", errors=faults) from failure


def _describe(error: Mapping[str, Any]) -> dict[str, Any]:
    fault = {"field": ".".join(str(part) for part in error["loc"]) or "body", "detail": error["msg"]}
    if error["type"] == "enum":
        fault["allowed"] = [status.value for status in OrderStatus]
    return fault


def _read_if_match(request: func.HttpRequest) -> frozenset[int] | Literal["existing"] | None:
    """The versions that the caller accepts. Weak tags never match (RFC 9110, 13.1.1), foreign ones neither."""
    text = request.headers.get("If-Match")
    if text is None:
        return None
    text = text.strip()
    if text == "*":
        return "existing"
    if not _ENTITY_TAGS.match(text):
        raise _invalid("If-Match", 'takes * or entity tags in quotes, for example "7"')
    return frozenset(int(version) for version in _STRONG_VERSION.findall(text))


def _read_traceparent(request: func.HttpRequest) -> str | None:
    """The caller's trace context. An invalid one is ignored, as W3C Trace Context demands."""
    text = request.headers.get("traceparent", "")
    return text if _TRACEPARENT.match(text) else None


def _invalid(field: str, detail: str) -> Refused:
    return Refused(INVALID_REQUEST, f"{field} {detail}.", errors=[{"field": field, "detail": detail}])
