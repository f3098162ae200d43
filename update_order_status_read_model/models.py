"""What the queries answer, as Pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from order_events import Moment, OrderId, OrderStatus
from update_order_status_read_model.projector import HistoryEntry, OrderView


class _Model(BaseModel):
    """An answer may get further members one day, so its schema is open."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True)

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)


Version = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


class OrderBody(_Model):
    """An order."""

    order_id: OrderId
    status: OrderStatus
    previous_status: OrderStatus | None
    version: Version
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

    version: Version
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

    seconds: Annotated[float, Field(ge=0)]
    last_event_at: Moment
    last_projected_at: Moment


class OrderSummary(_Model):
    """Orders per status. The counts are not of one moment, so orders on the move may count twice or not at all."""

    counts: dict[OrderStatus, Count]
    total: Count
    projection_lag: ProjectionLag | None


class ProblemBody(_Model):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Fault(_Model):
    """One thing that is wrong with a request: where, why, and what it takes where that is a choice."""

    field: str
    detail: str
    allowed: list[OrderStatus] | None = None


class InvalidProblem(ProblemBody):
    """A request that is refused field by field."""

    errors: Annotated[list[Fault], Field(min_length=1)]
