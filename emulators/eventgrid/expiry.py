"""Event subscriptions end at their `expirationTimeUtc`: they are deleted, with whatever waits for them."""

from __future__ import annotations

import asyncio
import logging

from emulators.base.clock import Clock
from emulators.eventgrid.provisioning import Provisioning
from emulators.eventgrid.waiting import keep_at, wait

logger = logging.getLogger("eventgrid.provisioning")


class Expirations:
    """Deletes what has expired. `wake` tells of a subscription that is new or has another expiration."""

    def __init__(self, provisioning: Provisioning, clock: Clock) -> None:
        self._provisioning = provisioning
        self._clock = clock
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look again."""
        self._changed.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        await keep_at(self._work, "deleting expired subscriptions")

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            moments = []
            for subscription in self._provisioning.catalogue.subscriptions():
                moment = subscription.settings.expires
                if moment is not None and moment <= self._clock.now():
                    logger.info("subscription %s has expired", subscription.name)
                    await self._provisioning.delete_subscription(subscription)
                elif moment is not None:
                    moments.append(moment)
            await wait(self._clock, min(moments, default=None), self._changed)
