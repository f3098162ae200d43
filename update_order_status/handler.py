"""One command from load to answer: load, decide, commit, and again if a rival was faster. Knows neither HTTP nor
Azure: the repository and the publisher stand for those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from order_events import OrderStatus, OrderStatusUpdated
from order_telemetry import Telemetry
from order_telemetry.signals import COMMAND_SPAN, CONFLICTS
from update_order_status.domain import (
    Gone,
    NotAllowed,
    Order,
    Stale,
    Unchanged,
    UpdateOrderStatus,
    decide,
    evolve,
    is_beginning,
)
from update_order_status.errors import Contended
from update_order_status.limits import COMMIT_PAUSE_SECONDS, COMMIT_PAUSE_SECONDS_MAX
from update_order_status.repository import CommandRecord, Commit, OrderRepository, Stored

Clock = Callable[[], datetime]
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command has taken effect, now or when it was `replayed`. It has an event unless nothing changed."""

    order: Order
    event: OrderStatusUpdated | None
    replayed: bool = False
    published: bool = False

    @property
    def created(self) -> bool:
        """Whether this command brought the order into being."""
        return self.event is not None and self.event.version == 1


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The command's id was used before on this order, to ask for another status."""

    asked_before: OrderStatus


Outcome = Accepted | NotAllowed | Stale | Gone | KeyReused


class CommandHandler:
    """Executes commands. `pause` waits a random time up to the seconds it is given."""

    def __init__(
        self, orders: OrderRepository, now: Clock, pause: Pause, attempts_max: int, telemetry: Telemetry
    ) -> None:
        self._orders = orders
        self._now = now
        self._pause = pause
        self._attempts_max = attempts_max
        self._telemetry = telemetry

    async def execute(self, command: UpdateOrderStatus) -> Outcome:
        """Do `command`, once and for all sendings of it. Raises Contended, StoreThrottled or StoreUnavailable.

        Each attempt loads and decides anew. An attempt whose outcome is unknown is an attempt like any other: the
        next one meets the command's own record and answers from it.
        """
        about = {"orders.order_id": command.order_id, "orders.command_id": command.command_id}
        with self._telemetry.span(COMMAND_SPAN, attributes=about) as span:
            outcome = await self._execute(replace(command, traceparent=span.traceparent or command.traceparent))
            span.note({"orders.outcome": type(outcome).__name__})
            return outcome

    async def _execute(self, command: UpdateOrderStatus) -> Outcome:
        tried: list[OrderStatusUpdated] = []
        # Nobody need ask whether a new order exists: the batch that creates it is the question and the answer.
        if is_beginning(command) and (outcome := await self._attempt(command, None, tried)):
            return outcome
        for attempt in range(self._attempts_max):
            if attempt:
                await self._pause(min(COMMIT_PAUSE_SECONDS * 2 ** (attempt - 1), COMMIT_PAUSE_SECONDS_MAX))
            stored = await self._orders.load(command.order_id)
            if outcome := await self._attempt(command, stored, tried):
                return outcome
        raise Contended(f"{self._attempts_max} attempts")

    async def _attempt(
        self, command: UpdateOrderStatus, stored: Stored | None, tried: list[OrderStatusUpdated]
    ) -> Outcome | None:
        """What came of deciding on `stored` and committing. None: a rival was faster, or nobody can tell.

        `tried` is what may have been committed under the command's id so far.
        """
        decision = decide(stored.order if stored else None, command, self._now())
        if isinstance(decision, Gone):
            return decision
        if not isinstance(decision, OrderStatusUpdated):
            return await self._answer(command, decision, tried)
        commit = await self._orders.commit(decision, stored)
        if commit is Commit.LOST_RACE:
            self._telemetry.add(CONFLICTS, 1)
            return None
        tried.append(decision)
        if commit is Commit.DONE:
            return Accepted(evolve(decision), decision)
        if commit is Commit.REPEATED and (record := await self._orders.find_record(command)):
            return _replay(command, record, tried)
        return None

    async def _answer(
        self, command: UpdateOrderStatus, decision: Unchanged | NotAllowed | Stale, tried: list[OrderStatusUpdated]
    ) -> Outcome:
        """The answer when nothing is to be done, which may be because an earlier sending did it."""
        if not command.repeatable and not tried:
            return _unchanged(decision)
        if isinstance(decision, Unchanged) and await self._orders.record_unchanged(command, decision.order):
            return _unchanged(decision)
        if record := await self._orders.find_record(command):
            return _replay(command, record, tried)
        return _unchanged(decision)


def _unchanged(decision: Unchanged | NotAllowed | Stale) -> Outcome:
    return Accepted(decision.order, None) if isinstance(decision, Unchanged) else decision


def _replay(command: UpdateOrderStatus, record: CommandRecord, tried: list[OrderStatusUpdated]) -> Outcome:
    if record.order.status is not command.status:
        return KeyReused(record.order.status)
    # A batch of this very request may have been done although its answer was lost (the SDK, too, sends a write again
    # when the connection breaks): then this is the first answer, not a replay.
    replayed = record.event not in tried
    return Accepted(record.order, record.event, replayed, published=not record.pending)
