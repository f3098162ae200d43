"""Ends what is over: events that are too old or whose last lock has run out, event subscriptions that expire.

One task for all queues. Receiving does not depend on it: a spent event is never handed out. Dead letters and counts do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from emulators.base.clock import Clock
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.catalogue import NamespaceCatalogue
from emulators.eventgrid.namespaces.deaths import Death, Deaths
from emulators.eventgrid.namespaces.resources import QueueSubscription
from emulators.eventgrid.namespaces.store import QueueStore, QueueWork
from emulators.eventgrid.waiting import keep_at, wait

logger = logging.getLogger("eventgrid.namespaces")
Expire = Callable[[QueueSubscription], Awaitable[None]]
"""Deletes an event subscription."""


class Sweeper:
    """`run` goes on until it is cancelled."""

    def __init__(self, catalogue: NamespaceCatalogue, store: QueueStore, deaths: Deaths, clock: Clock) -> None:
        self._catalogue, self._store, self._deaths, self._clock = catalogue, store, deaths, clock
        self._changed = asyncio.Event()
        self._next: float | None = None

    def notice(self, moment: float) -> None:
        """An event may be spent at `moment`: wake, if that is before whatever is waited for."""
        if self._next is None or moment < self._next:
            self._changed.set()

    async def run(self, expire: Expire) -> None:
        """Sweep and wait; all state is in the store."""
        await keep_at(partial(self._work, expire), "sweeping the queues of namespaces")

    async def _work(self, expire: Expire) -> None:
        while True:
            self._changed.clear()
            self._next = None  # whatever is noticed while this looks makes it look again
            moments: list[float | None] = []
            for subscription in self._catalogue.subscriptions():
                expires = subscription.settings.expires
                if expires is not None and expires <= self._clock.now():
                    logger.info("event subscription %s has expired", subscription.path)
                    await expire(subscription)
                else:
                    moments += [expires, await self._sweep(subscription)]
            self._next = min((moment for moment in moments if moment is not None), default=None)
            await wait(self._clock, self._next, self._changed)

    async def _sweep(self, subscription: QueueSubscription) -> float | None:
        """End what is spent; the moment at which something will be."""
        most = subscription.settings.deliveries_max

        def work(queues: QueueWork) -> list[Death]:
            spent = queues.spent(subscription.number, self._clock.now(), most, limits.SWEEP_EVENTS_MAX)
            return [self._deaths.of_neglect(queues, subscription, pull) for pull in spent]

        while self._store.anything_spent(subscription.number, self._clock.now(), most):
            self._deaths.count(await self._store.transact(work))
        return self._store.next_spent(subscription.number, self._clock.now(), most)
