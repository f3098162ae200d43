"""What the write side's HTTP door takes and gives, as Pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from order_events import Moment, OrderId, OrderStatus
from update_order_status.domain import Order
from update_order_status.limits import BATCH_COMMANDS_MAX, IDEMPOTENCY_KEY_CHARACTERS_MAX

IDEMPOTENCY_KEY_PATTERN = r"^[!-~]([ -~]*[!-~])?$"
"""Visible ASCII, which is what may stand in an HTTP header, with spaces inside."""

IdempotencyKey = Annotated[
    str, Field(max_length=IDEMPOTENCY_KEY_CHARACTERS_MAX, pattern=IDEMPOTENCY_KEY_PATTERN, examples=["6f1c9f0e"])
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)


class UpdateOrderStatusBody(_Model):
    """The body of UpdateOrderStatus."""

    order_id: OrderId
    status: OrderStatus


class BatchItem(UpdateOrderStatusBody):
    """One command of UpdateOrderStatuses."""

    idempotency_key: IdempotencyKey | None = None


class UpdateOrderStatusesBody(_Model):
    """The body of UpdateOrderStatuses."""

    commands: Annotated[list[BatchItem], Field(min_length=1, max_length=BATCH_COMMANDS_MAX)]


class OrderBody(_Model):
    """An order, as commands answer it."""

    model_config = ConfigDict(validate_by_name=True)

    order_id: OrderId
    status: OrderStatus
    previous_status: OrderStatus | None
    version: int
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
