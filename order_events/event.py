"""The one event of the service and the words it is made of. Knows nothing of envelopes, versions or storage."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

ORDER_ID_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$"
"""Safe in a Cosmos id, a URL path and a header. `.` and `..` are out: every URL library resolves them away."""
ORDER_ID_RULE = "1 to 128 of A-Z a-z 0-9 . _ - and neither . nor .."
"""The pattern, for people."""
_ORDER_ID = re.compile(ORDER_ID_PATTERN.removesuffix("$") + r"\Z")

COMMAND_ID_CHARACTERS_MAX = 4096
"""An idempotency key travels in an HTTP header; hosts commonly cap all headers together at 16 to 32 KiB."""
TRACEPARENT_CHARACTERS_MAX = 512
"""W3C Trace Context, version 00, is 55 characters; later versions may append."""


class OrderStatus(StrEnum):
    """Every status an order can have, in the order of an ordinary life."""

    CREATED = "created"
    APPROVED = "approved"
    INVOICED = "invoiced"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELED = "canceled"
    UNAVAILABLE = "unavailable"
    RETURNED = "returned"


def is_order_id(text: str) -> bool:
    """Whether `text` can name an order."""
    return _ORDER_ID.match(text) is not None


def _check_order_id(text: str) -> str:
    if not is_order_id(text):
        raise ValueError(f"an order id is {ORDER_ID_RULE}")
    return text


def format_moment(moment: datetime) -> str:
    """A moment as text of one fixed width, so that text order is time order (Cosmos compares text)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


OrderId = Annotated[str, AfterValidator(_check_order_id), Field(json_schema_extra={"pattern": ORDER_ID_PATTERN})]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(format_moment, return_type=str),
    Field(json_schema_extra={"format": "date-time"}),
]


class OrderStatusUpdated(BaseModel):
    """An order took a status. It carries the order's whole state, so a reader needs no other event.

    `version` counts the order's events from 1 without gaps; it, not time, says which of two events is newer.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True, extra="ignore")

    event_id: str = Field(exclude=True, min_length=1)
    """Identity, the same in every delivery; it travels in the envelope, not in the data."""
    order_id: OrderId
    status: OrderStatus
    previous_status: OrderStatus | None
    version: int = Field(ge=1, strict=True)
    occurred_at: Moment
    command_id: str = Field(min_length=1, max_length=COMMAND_ID_CHARACTERS_MAX)
    traceparent: str | None = Field(default=None, max_length=TRACEPARENT_CHARACTERS_MAX)

    def data(self) -> dict[str, Any]:
        """The event's data as plain JSON values, in the current version."""
        return self.model_dump(mode="json", by_alias=True)
