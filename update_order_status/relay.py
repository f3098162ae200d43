"""The safety net: publishes events that a request committed and could not publish, whatever the reason was.

Level-triggered: each tick asks what is pending and forgets nothing between ticks, so it may be missed, doubled or
run by several instances at once. Publishing twice is harmless, publishing never is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from order_telemetry import EventLog, Telemetry
from order_telemetry.signals import PENDING, PENDING_AGE, RELAY_SPAN
from update_order_status.handler import Clock
from update_order_status.publisher import Publisher
from update_order_status.repository import OrderRepository

log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one tick found and sent. `unreadable`: events of a newer version, left for code that can read them."""

    found: int
    sent: int
    oldest_age_seconds: float
    unreadable: int = 0


class Relay:
    """Publishes what has been pending for longer than `grace_seconds`, oldest first, at most `events_max` a tick."""

    def __init__(
        self,
        orders: OrderRepository,
        publisher: Publisher,
        now: Clock,
        grace_seconds: float,
        events_max: int,
        telemetry: Telemetry,
    ) -> None:
        self._orders = orders
        self._publisher = publisher
        self._now = now
        self.grace = timedelta(seconds=grace_seconds)
        self._events_max = events_max
        self._telemetry = telemetry

    async def tick(self, grace: timedelta | None = None) -> Relayed:
        """Publish and mark one portion of what is pending for longer than `grace`."""
        with self._telemetry.span(RELAY_SPAN) as span:
            relayed = await self._tick(self.grace if grace is None else grace)
            span.note({"orders.found": relayed.found, "orders.sent": relayed.sent})
        self._telemetry.add(PENDING, relayed.found)
        self._telemetry.add(PENDING_AGE, relayed.oldest_age_seconds)
        return relayed

    async def _tick(self, grace: timedelta) -> Relayed:
        now = self._now()
        pending = await self._orders.list_pending(now - grace, self._events_max)
        if pending.unreadable:
            log.urgent(
                "relay: events of a newer version wait for the code that knows it", unreadable=pending.unreadable
            )
        if not pending.events:
            return Relayed(0, 0, 0.0, pending.unreadable)
        age_seconds = (now - pending.events[0].occurred_at).total_seconds()
        sent = await self._publisher.publish(pending.events, by="relay")
        log.warning("relay", found=len(pending.events), sent=len(sent), oldest_pending_seconds=round(age_seconds, 1))
        return Relayed(len(pending.events), len(sent), age_seconds, pending.unreadable)
