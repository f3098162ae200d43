"""What the queries answer, as Pydantic models."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from order_events import Moment, OrderId, OrderStatus
from update_order_status_read_model.projector import HistoryEntry, OrderView


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True, extra="forbid")

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)


class OrderBody(_Model):
    """An order, as queries answer it: member for member what commands answer."""

    order_id: OrderId
    status: OrderStatus
    previous_status: OrderStatus | None
    version: int
    updated_at: Moment

    @classmethod
    def of(cls, view: OrderView) -> Self:
        """The body that shows `view`, which is not a tombstone."""
        assert view.status is not None
        return cls(
            order_id=view.order_id,
            status=view.status,
            previous_status=view.previous_status,
            version=view.version,
            updated_at=view.updated_at,
        )


class OrderPage(_Model):
    """Some orders, latest change first. Without `continuationToken` they are the last ones."""

    orders: list[OrderBody]
    continuation_token: str | None


class HistoryStep(_Model):
    """One step of an order's life."""

    version: int
    status: OrderStatus
    previous_status: OrderStatus | None
    occurred_at: Moment
    command_id: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        """The body that shows `entry`."""
        return cls(
            version=entry.version,
            status=entry.status,
            previous_status=entry.previous_status,
            occurred_at=entry.occurred_at,
            command_id=entry.command_id,
        )


class OrderHistory(_Model):
    """An order's steps, oldest first. Without `continuationToken` they are the last ones so far."""

    order_id: OrderId
    steps: list[HistoryStep]
    continuation_token: str | None


class ProjectionLag(_Model):
    """How long after its event the order that changed last reached the read side."""

    seconds: float
    last_event_at: Moment
    last_projected_at: Moment


class OrderSummary(_Model):
    """Orders per status. The counts are not of one moment, so orders on the move may count twice or not at all."""

    counts: dict[OrderStatus, int]
    total: int
    projection_lag: ProjectionLag | None
