"""How an event of a namespace ends without being processed: as a dead letter with the service's words, or dropped.

It decides within a transaction of the caller's; `count` is for what is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from emulators.base.clock import Clock
from emulators.eventgrid import metrics
from emulators.eventgrid.deadletters import service_time
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.resources import QueueSubscription
from emulators.eventgrid.namespaces.store import Pull, QueueWork
from emulators.eventgrid.store import NewLetter

ATTEMPTS_EXCEEDED = "Maximum delivery attempts was exceeded."
"""docs namespace-delivery-retry, in its example of a dead letter."""
NOT_SETTLED = "Event was not acknowledged nor rejected."
"""The same place."""
REJECTED = "Event was rejected."
"""Our words: no page shows this dead letter."""
EXPIRED = "Event time to live was exceeded."
"""Our words."""
RELEASED = "Event was released."
"""Our words."""
NOT_RECEIVED = "Event was not received."
"""Our words."""


@dataclass(frozen=True, slots=True)
class Death:
    """How an event ended, to be counted once that is committed."""

    subscription: str
    reason: str
    buried: bool


class Deaths:
    """Ends events within a transaction of the caller's. `buried` wakes the dead-letter office."""

    def __init__(self, clock: Clock, counted: Metrics, *, time_scale: float, buried: Callable[[], None]) -> None:
        self._clock, self._metrics = clock, counted
        self._time_scale = time_scale
        self._buried = buried

    def of_rejection(self, queues: QueueWork, subscription: QueueSubscription, pull: Pull) -> Death:
        """The consumer has said that it can never be processed."""
        return self._end(queues, subscription, pull, REJECTED, REJECTED)

    def of_deliveries(self, queues: QueueWork, subscription: QueueSubscription, pull: Pull) -> Death:
        """It was given back after the last delivery that it may have."""
        return self._end(queues, subscription, pull, ATTEMPTS_EXCEEDED, RELEASED)

    def of_neglect(self, queues: QueueWork, subscription: QueueSubscription, pull: Pull) -> Death:
        """It is too old, or the lock of its last delivery has run out."""
        result = NOT_SETTLED if pull.deliveries else NOT_RECEIVED
        exceeded = pull.deliveries >= subscription.settings.deliveries_max
        return self._end(queues, subscription, pull, ATTEMPTS_EXCEEDED if exceeded else EXPIRED, result)

    def count(self, deaths: Iterable[Death]) -> None:
        """These are committed: count the drops, and let the dead letters be written."""
        any_buried = False
        for death in deaths:
            any_buried |= death.buried
            if not death.buried:
                self._metrics.add(metrics.DROPPED, subscription=death.subscription, dropReason=death.reason)
        if any_buried:
            self._buried()

    def _end(self, queues: QueueWork, subscription: QueueSubscription, pull: Pull, reason: str, result: str) -> Death:
        container = subscription.settings.dead_letter_container
        if container is None:
            queues.remove([pull])
        else:
            queues.bury(pull, self._letter(subscription.path, container, pull, reason, result))
        return Death(subscription.path, reason, container is not None)

    def _letter(self, path: str, container: str, pull: Pull, reason: str, result: str) -> NewLetter:
        due = self._clock.now() + limits.DEAD_LETTER_DELAY_SECONDS * self._time_scale
        told = {
            "deadletterreason": reason,
            "deliveryattempts": pull.deliveries,
            "deliveryresult": result,
            "publishutc": service_time(pull.published),
        }
        if pull.received is not None:
            told["deliveryattemptutc"] = service_time(pull.received)
        return NewLetter(
            subscription=path,
            container=container,
            reason=reason,
            event_id=pull.event_id,
            due=due,
            gives_up=due + limits.DEAD_LETTER_GIVE_UP_SECONDS * self._time_scale,
            content=b'{"deadLetterProperties":%s,"event":%s}' % (orjson.dumps(told), pull.body),
        )
