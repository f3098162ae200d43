"""The safety net: publishes events that a request committed and could not publish, whatever the reason was.

Level-triggered: each tick asks what is pending and forgets nothing between ticks, so it may be missed, doubled or
run by several instances at once. Publishing twice is harmless, publishing never is not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from update_order_status.handler import Clock
from update_order_status.publisher import Publisher
from update_order_status.repository import OrderRepository

log = logging.getLogger(__name__)


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
        self, orders: OrderRepository, publisher: Publisher, now: Clock, grace_seconds: float, events_max: int
    ) -> None:
        self._orders = orders
        self._publisher = publisher
        self._now = now
        self.grace = timedelta(seconds=grace_seconds)
        self._events_max = events_max

    async def tick(self, grace: timedelta | None = None) -> Relayed:
        """Publish and mark one portion of what is pending for longer than `grace`."""
        now = self._now()
        pending = await self._orders.list_pending(now - (self.grace if grace is None else grace), self._events_max)
        if pending.unreadable:
            log.error(
                "relay unreadable=%d: events of a newer version wait for the code that knows it", pending.unreadable
            )
        if not pending.events:
            return Relayed(0, 0, 0.0, pending.unreadable)
        age_seconds = (now - pending.events[0].occurred_at).total_seconds()
        sent = await self._publisher.publish(pending.events)
        log.warning("relay found=%d sent=%d oldest_pending_seconds=%.1f", len(pending.events), len(sent), age_seconds)
        return Relayed(len(pending.events), len(sent), age_seconds, pending.unreadable)
