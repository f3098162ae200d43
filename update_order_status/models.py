"""What the write side's HTTP door takes and gives, as Pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny
from pydantic.alias_generators import to_camel

from order_events import Moment, OrderId, OrderStatus
from update_order_status.domain import Order
from update_order_status.limits import (
    BATCH_COMMANDS_MAX,
    BATCH_KEY_CHARACTERS_MAX,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
)

IDEMPOTENCY_KEY_PATTERN = r"^[!-~]([ -~]*[!-~])?$"
"""Visible ASCII, which is what may stand in an HTTP header, with spaces inside."""

IdempotencyKey = Annotated[
    str, Field(max_length=IDEMPOTENCY_KEY_CHARACTERS_MAX, pattern=IDEMPOTENCY_KEY_PATTERN, examples=["6f1c9f0e"])
]
BatchKey = Annotated[
    str, Field(max_length=BATCH_KEY_CHARACTERS_MAX, pattern=IDEMPOTENCY_KEY_PATTERN, examples=["6f1c9f0e"])
]

_TAG = r'(?:W/)?"[!#-~]*"'
ENTITY_TAGS_PATTERN = rf"(?:{_TAG}(?:[ \t]*,[ \t]*{_TAG})*)?"
IF_MATCH_PATTERN = rf"^(?:\*|{ENTITY_TAGS_PATTERN})$"
"""RFC 9110, 8.8.3 and 13.1.1. An empty list is one, and matches nothing. Which of the tags are versions is
read from it later."""
IfMatch = Annotated[str, Field(pattern=IF_MATCH_PATTERN)]

Version = Annotated[int, Field(ge=1)]
EventDelivery = Literal["sent", "deferred"]


class _Asked(BaseModel):
    """A request says what it may say and nothing else: what is misspelt must not be ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)


class _Answered(BaseModel):
    """An answer may get further members one day, so its schema is open."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True)


class UpdateOrderStatusBody(_Asked):
    """The body of UpdateOrderStatus."""

    order_id: OrderId
    status: OrderStatus


class BatchItem(UpdateOrderStatusBody):
    """One command of UpdateOrderStatuses."""

    idempotency_key: IdempotencyKey | None = None


class UpdateOrderStatusesBody(_Asked):
    """The body of UpdateOrderStatuses."""

    commands: Annotated[list[BatchItem], Field(min_length=1, max_length=BATCH_COMMANDS_MAX)]


class OrderBody(_Answered):
    """An order."""

    order_id: OrderId
    status: OrderStatus
    previous_status: OrderStatus | None
    version: Version
    updated_at: Moment

    @classmethod
    def of(cls, order: Order) -> Self:
        """The body that shows `order`."""
        return cls(
            order_id=order.order_id,
            status=order.status,
            previous_status=order.previous_status,
            version=order.version,
            updated_at=order.updated_at,
        )

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)


class ProblemBody(_Answered):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Fault(_Answered):
    """One thing that is wrong with a request: where, why, and what it takes where that is a choice."""

    field: str
    detail: str
    allowed: list[OrderStatus] | None = None


class InvalidProblem(ProblemBody):
    """A request that is refused field by field."""

    errors: Annotated[list[Fault], Field(min_length=1)]


class TransitionProblem(ProblemBody):
    """A command that the order's life does not allow."""

    current_status: OrderStatus
    version: Version
    allowed: list[OrderStatus]


class StaleProblem(ProblemBody):
    """A command on a version that the order does not have. `version` is the one it has, null if it does not exist."""

    version: Version | None


class BatchResult(_Answered):
    """What came of one command of a batch: an order or a problem, under the status it would have been answered with."""

    idempotency_key: IdempotencyKey
    status: int
    order: OrderBody | None = None
    replayed: bool | None = None
    event_delivery: EventDelivery | None = None
    problem: SerializeAsAny[ProblemBody] | None = None
    retry_after_seconds: Annotated[int, Field(ge=1)] | None = None


class BatchResults(_Answered):
    """A result for each command, in the order of the request."""

    results: list[BatchResult]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
