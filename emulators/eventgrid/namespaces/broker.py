"""What happens to an event in a namespace: published, received under a lock, and settled by the token of that lock.

    waiting --receive--> held --acknowledge--> gone
       ^                  |----release, lock over--> waiting again, or dead after the last delivery
       |                  `----reject--> dead: a dead letter where the subscription has a place for it, else dropped
       `-- renewLock keeps it held

It knows queues and the clock; it must not know HTTP or ARM. Durable before any of it is told.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.eventgrid import metrics
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.namespaces import limits
from emulators.eventgrid.namespaces.catalogue import NamespaceCatalogue
from emulators.eventgrid.namespaces.deaths import Death, Deaths
from emulators.eventgrid.namespaces.errors import BAD_TOKEN, TOKEN_LOST, TokenError
from emulators.eventgrid.namespaces.resources import NamespaceTopic, QueueSubscription
from emulators.eventgrid.namespaces.store import Pull, QueueStore, QueueWork
from emulators.eventgrid.schemas import Event
from emulators.eventgrid.store import Target
from emulators.eventgrid.waiting import wait

_NUMBER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Received:
    """An event that is handed out: its lock token, the how manieth delivery this is, and its JSON."""

    lock_token: str
    delivery_count: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a request's lock tokens, in its order."""

    succeeded: list[str] = field(default_factory=list)
    failed: list[tuple[str, TokenError]] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)


Settle = Callable[[QueueWork, Pull], Death | None]


class Broker:
    """Pull delivery. `notice` tells the sweeper of a moment at which an event may be spent."""

    def __init__(
        self,
        catalogue: NamespaceCatalogue,
        store: QueueStore,
        deaths: Deaths,
        clock: Clock,
        ids: Ids,
        counted: Metrics,
        *,
        time_scale: float,
        notice: Callable[[float], None],
    ) -> None:
        self._catalogue, self._store, self._deaths = catalogue, store, deaths
        self._clock, self._ids, self._metrics = clock, ids, counted
        self._time_scale = time_scale
        self._notice = notice
        self._news: dict[int, asyncio.Event] = {}
        self._closing = False
        self.receivers = 0
        """Requests that wait for an event at this moment."""

    def stop_waiting(self) -> None:
        """Answer everybody who waits for events; from now on nobody waits."""
        self._closing = True
        for queue in list(self._news):
            self.wake(queue)

    def wake(self, queue: int) -> None:
        """Something has come into `queue`, or the queue is gone: whoever waits looks again."""
        if (news := self._news.pop(queue, None)) is not None:
            news.set()

    async def publish(self, topic: NamespaceTopic, events: Sequence[Event]) -> None:
        """Put events into the queue of every subscription that wants them; durable on return."""
        now = self._clock.now()
        subscriptions = [each for each in self._catalogue.subscriptions_of(topic) if _collects(each, now)]
        accepted: list[tuple[Event, list[Target]]] = []
        for event in events:
            wanting = [each for each in subscriptions if each.settings.filter.matches(event)]
            for each in wanting:
                self._metrics.add(metrics.MATCHED, topic=topic.name, subscription=each.name)
            if not wanting:
                self._metrics.add(metrics.UNMATCHED, topic=topic.name)
                continue
            accepted.append((event, [self._target(each, now) for each in wanting]))

        def work(queues: QueueWork) -> None:
            for event, targets in accepted:
                queues.accept(event, now, targets)

        if accepted:
            await self._store.transact(work)
        self._metrics.add(metrics.PUBLISHED, len(events), topic=topic.name)
        reached = {target for _, targets in accepted for target in targets}
        for target in reached:  # one a subscription: every event of a request has the same times
            self._notice(target.expires)
            self.wake(target.queue)

    async def receive(self, subscription_id: str, events_max: int, wait_seconds: float) -> list[Received] | None:
        """Up to `events_max` events, as soon as there is one; none after `wait_seconds`.

        None when the subscription is not there, or not any more.
        """
        deadline = self._clock.now() + wait_seconds
        while (subscription := self._catalogue.subscription(subscription_id)) is not None:
            queue, most = subscription.number, subscription.settings.deliveries_max
            news = self._news.setdefault(queue, asyncio.Event())
            if self._store.anything_receivable(queue, self._clock.now(), most):
                received = await self._store.transact(partial(self._take, subscription, events_max))
                self._metrics.add(metrics.RECEIVED, len(received), subscription=subscription.path)
                return received
            now = self._clock.now()
            if now >= deadline or self._closing:
                return []
            available = self._store.next_available(queue, now)
            self.receivers += 1
            try:
                await wait(self._clock, deadline if available is None else min(available, deadline), news)
            finally:
                self.receivers -= 1
        return None

    async def acknowledge(self, subscription: QueueSubscription, tokens: Sequence[str]) -> Settled:
        """These events are done with."""
        return await self._settle(
            subscription, tokens, metrics.ACKNOWLEDGED, lambda queues, pull: queues.remove([pull])
        )

    async def release(self, subscription: QueueSubscription, tokens: Sequence[str], delay_seconds: int) -> Settled:
        """These events may be received again, after a while; after the last delivery they are dead."""
        available = self._clock.now() + delay_seconds * self._time_scale

        def settle(queues: QueueWork, pull: Pull) -> Death | None:
            if pull.deliveries >= subscription.settings.deliveries_max:
                return self._deaths.of_deliveries(queues, subscription, pull)
            queues.release(pull.number, available)
            return None

        settled = await self._settle(subscription, tokens, metrics.RELEASED, settle)
        self.wake(subscription.number)
        return settled

    async def reject(self, subscription: QueueSubscription, tokens: Sequence[str]) -> Settled:
        """These events can never be processed."""
        return await self._settle(
            subscription,
            tokens,
            metrics.REJECTED,
            lambda queues, pull: self._deaths.of_rejection(queues, subscription, pull),
        )

    async def renew(self, subscription: QueueSubscription, tokens: Sequence[str]) -> Settled:
        """The holder keeps these events for another lock's duration."""
        until = self._lock_until(subscription)
        return await self._settle(subscription, tokens, None, lambda queues, pull: queues.renew(pull.number, until))

    def _take(self, subscription: QueueSubscription, events_max: int, queues: QueueWork) -> list[Received]:
        now, until = self._clock.now(), self._lock_until(subscription)
        received: list[Received] = []
        size = 0
        most = subscription.settings.deliveries_max
        for pull in queues.receivable(subscription.number, now, most, events_max):
            size += len(pull.body)
            if received and size > limits.RECEIVED_BYTES_MAX:
                break
            secret = self._ids.token(limits.LOCK_TOKEN_SECRET_BYTES)
            queues.lock(pull.number, secret, now, until)
            if pull.deliveries + 1 >= most or pull.expires < until:
                self._notice(until)
            received.append(Received(_token(pull.number, secret), pull.deliveries + 1, pull.body))
        return received

    async def _settle(
        self, subscription: QueueSubscription, tokens: Sequence[str], counted: str | None, settle: Settle
    ) -> Settled:
        now = self._clock.now()

        def work(queues: QueueWork) -> Settled:
            settled = Settled()
            for token in tokens:
                parts = _parts(token)
                pull = parts and queues.held(subscription.number, *parts, now)
                if pull:
                    if death := settle(queues, pull):
                        settled.deaths.append(death)
                    settled.succeeded.append(token)
                else:
                    settled.failed.append((token, TOKEN_LOST if parts else BAD_TOKEN))
            return settled

        settled = await self._store.transact(work)
        if counted is not None:
            self._metrics.add(counted, len(settled.succeeded), subscription=subscription.path)
        self._deaths.count(settled.deaths)
        return settled

    def _lock_until(self, subscription: QueueSubscription) -> float:
        return self._clock.now() + subscription.settings.lock_seconds * self._time_scale

    def _target(self, subscription: QueueSubscription, now: float) -> Target:
        return Target(subscription.number, now + subscription.settings.live_seconds * self._time_scale)


def _collects(subscription: QueueSubscription, now: float) -> bool:
    return subscription.settings.expires is None or now < subscription.settings.expires


def _token(number: int, secret: bytes) -> str:
    return base64.b64encode(number.to_bytes(_NUMBER_BYTES, "big") + secret).decode()


def _parts(token: str) -> tuple[int, bytes] | None:
    """The event's number and the lock's secret, or None when this is no lock token at all."""
    try:
        raw = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _NUMBER_BYTES + limits.LOCK_TOKEN_SECRET_BYTES:
        return None
    number = int.from_bytes(raw[:_NUMBER_BYTES], "big")
    return (number, raw[_NUMBER_BYTES:]) if number < 2**63 else None
