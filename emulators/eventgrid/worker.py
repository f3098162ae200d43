"""Delivery: one lane per subscription takes what is due from the store and sends it.

Lanes share nothing but the store and the connection pool, so that one that hangs delays no other. A lane holds a page
of due deliveries in memory, whatever the backlog. What follows from an answer is `delivery.py`'s; lanes carry it out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emulators.base.clock import Clock
from emulators.base.faults import Act, Faults
from emulators.base.ids import Ids
from emulators.eventgrid import limits, metrics
from emulators.eventgrid.conversion import DeliverySchema, Stored, convert
from emulators.eventgrid.couriers import Couriers
from emulators.eventgrid.deadletters import letter_content
from emulators.eventgrid.delivery import (
    DELIVERED,
    TIME_TO_LIVE_EXCEEDED,
    Answer,
    Done,
    GiveUp,
    Retry,
    after_attempt,
    probation_seconds,
)
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.store import Attempt, NewLetter, Store, Waiting
from emulators.eventgrid.subscriptions import Subscription
from emulators.eventgrid.transport import Incoming
from emulators.eventgrid.waiting import wait

logger = logging.getLogger("eventgrid.delivery")


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one delivery, for who looks on."""

    event_id: str
    subscription: str
    result: str
    attempts: Sequence[Attempt]


@dataclass(slots=True)
class Desk:
    """What every lane works with."""

    store: Store
    couriers: Couriers
    clock: Clock
    ids: Ids
    faults: Faults
    metrics: Metrics
    time_scale: float
    buried: Callable[[], None]
    """To be called when there is a new dead letter."""
    finished: deque[Finished] = field(default_factory=lambda: deque(maxlen=limits.FINISHED_EVENTS_KEPT))


class Lane:
    """Delivers to one subscription, at most so many requests at a time."""

    def __init__(self, subscription: Subscription, desk: Desk) -> None:
        self.subscription = subscription
        self._desk = desk
        self._page: deque[Waiting] = deque()
        self._in_flight: set[int] = set()
        self._requests = 0
        self._failures = 0
        self._aside_until = 0.0
        self._paced_until = 0.0
        self._stopping = False
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._changed.set()

    def hurry(self) -> None:
        """Try now, though the endpoint was put aside."""
        self._aside_until = 0.0
        self._changed.set()

    def stop(self) -> None:
        """Start nothing new; `run` returns when what is under way has ended."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver until stopped."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._changed.clear()
                moment = self._start_due(group)
                await wait(self._desk.clock, moment, self._changed)

    def _start_due(self, group: asyncio.TaskGroup) -> float | None:
        """Start what is due and allowed; the moment to look again, None when only a change can help."""
        now = self._desk.clock.now()
        on_probation = self._failures >= limits.FAILURES_BEFORE_PROBATION
        most = 1 if on_probation else limits.CONCURRENT_DELIVERIES_MAX
        while self._requests < most:
            if now < (later := max(self._aside_until, self._paced_until)):
                return later
            batch = self._take(now)
            if not batch:
                return self._desk.store.next_due(self.subscription.number, now)
            self._pace(now)
            self._requests += 1
            self._in_flight.update(each.number for each in batch)
            group.create_task(self._deliver(batch))
        return None

    def _pace(self, now: float) -> None:
        """Leave the time to the next request that the endpoint's WebHook-Allowed-Rate asks for."""
        if (rate := self.subscription.rate) is not None:
            self._paced_until = now + 60 / rate * self._desk.time_scale

    def _take(self, now: float) -> list[Waiting]:
        """The next request's events: one, or a batch up to the preferred size."""
        destination = self.subscription.settings.destination
        batch: list[Waiting] = []
        size = 0
        while len(batch) < destination.events_max:
            if not self._page:
                self._fill(now, {each.number for each in batch})
            if not self._page:
                break
            size += self._page[0].size
            if batch and size > destination.kilobytes_preferred * 1024:
                break
            batch.append(self._page.popleft())
        return batch

    def _fill(self, now: float, taken: set[int]) -> None:
        busy = self._in_flight | taken
        found = self._desk.store.due(self.subscription.number, now, limits.QUEUE_PAGE + len(busy))
        self._page.extend(each for each in found if each.number not in busy)

    async def _deliver(self, batch: list[Waiting]) -> None:
        """One request, or the end of what has outlived its time."""
        now = self._desk.clock.now()
        try:
            alive = [each for each in batch if now < each.expires]
            for each in batch:
                if now >= each.expires:
                    await self._give_up(each, TIME_TO_LIVE_EXCEEDED, None)
            if alive:
                await self._send(alive)
        finally:
            self._requests -= 1
            self._in_flight.difference_update(each.number for each in batch)
            self._changed.set()

    async def _send(self, batch: list[Waiting]) -> None:
        desk, subscription = self._desk, self.subscription
        act = desk.faults.strike(
            operation="delivery",
            topic=subscription.source_name,
            subscription=subscription.name,
            id=batch[0].event_id,
        )
        if act is not None and act.hold_seconds:
            for each in batch:
                await desk.store.postpone(each.number, desk.clock.now() + act.hold_seconds)
            return
        began = asyncio.get_running_loop().time()
        answer = _answer(await self._send_under(act, batch))
        took = asyncio.get_running_loop().time() - began
        desk.metrics.took(metrics.PROCESSING_DURATION, took * 1000, subscription=subscription.name)
        attempted = desk.clock.now()
        if answer.name == DELIVERED:
            self._failures, self._aside_until = 0, 0.0
            await self._done(batch, answer, attempted)
            return
        desk.metrics.add(
            metrics.ATTEMPT_FAILED, subscription=subscription.name, error=str(answer.status), errorType=answer.name
        )
        for each in batch:
            await self._failed(each, answer, attempted)

    async def _send_under(self, act: Act | None, batch: Sequence[Waiting]) -> Incoming:
        """Send, as a fault rule may want it: late, not at all, more than once, or with the answer lost."""
        events = [self._desk.store.event(each.event) for each in batch]
        count = batch[0].attempts

        async def send() -> Incoming:
            return await self._desk.couriers.deliver(self.subscription, events, delivery_count=count)

        if act is None:
            return await send()
        if act.delay_seconds:
            await self._desk.clock.sleep(act.delay_seconds)
        if act.status is not None:
            return Incoming(act.status, b"a fault rule answers for the endpoint")
        lost = Incoming(None, b"a fault rule cuts the connection", outcome="SocketError")
        if act.drop == "before":
            return lost
        answer = await send()
        for _ in range(act.duplicate):
            await send()
        return lost if act.drop == "after" else answer

    async def _done(self, batch: list[Waiting], answer: Answer, at: float) -> None:
        desk = self._desk
        for each in batch:
            self._remember(each, DELIVERED, Attempt(each.attempts + 1, at, answer.status, DELIVERED, answer.excerpt))
        await desk.store.finish(batch)
        desk.metrics.add(metrics.DELIVERED, len(batch), subscription=self.subscription.name)

    async def _failed(self, waiting: Waiting, answer: Answer, at: float) -> None:
        desk, settings = self._desk, self.subscription.settings
        attempt = Attempt(waiting.attempts + 1, at, answer.status, answer.name, answer.excerpt)
        step = after_attempt(
            answer,
            attempts=attempt.number,
            attempts_max=settings.attempts_max,
            to_azure=settings.destination.to_azure,
            dice=desk.ids.chance(),
        )
        match step:
            case Retry(seconds):
                self._failures += 1
                if self._failures >= limits.FAILURES_BEFORE_PROBATION:
                    self._aside_until = at + probation_seconds(answer.name) * desk.time_scale
                await desk.store.record(waiting, attempt, at + seconds * desk.time_scale)
                logger.info(
                    "%s: event %s, attempt %d: %s; again in %.0f s",
                    self.subscription.name, waiting.event_id, attempt.number, answer.name, seconds * desk.time_scale,
                )  # fmt: skip
            case GiveUp(reason):
                await self._give_up(waiting, reason, attempt)
            case Done():
                raise AssertionError("a failed attempt is not done")

    async def _give_up(self, waiting: Waiting, reason: str, last: Attempt | None) -> None:
        """End a delivery: a dead letter where the subscription has a place for it, else the event is dropped."""
        desk, subscription = self._desk, self.subscription
        attempts = desk.store.attempts(waiting.number) + ([last] if last else [])
        self._remember(waiting, reason, last)
        container = subscription.settings.dead_letter_container
        logger.warning(
            "%s: event %s is given up after %d attempts: %s (%s)",
            subscription.name, waiting.event_id, len(attempts), reason, container or "dropped",
        )  # fmt: skip
        if container is None:
            desk.metrics.add(metrics.DROPPED, subscription=subscription.name, dropReason=reason)
            await desk.store.finish([waiting])
            return
        final = attempts[-1] if attempts else None
        content = letter_content(
            self._letter_document(desk.store.event(waiting.event)),
            subscription.settings.schema,
            reason=reason,
            attempts=len(attempts),
            outcome=final.outcome if final else "",
            status=final.status if final else None,
            published=waiting.published,
            last_attempt=final.at if final else None,
        )
        now = desk.clock.now()
        due = now + limits.DEAD_LETTER_DELAY_SECONDS * desk.time_scale
        await desk.store.bury(
            waiting,
            NewLetter(
                subscription=subscription.name,
                container=container,
                reason=reason,
                event_id=waiting.event_id,
                due=due,
                gives_up=due + limits.DEAD_LETTER_GIVE_UP_SECONDS * desk.time_scale,
                content=content,
            ),
        )
        desk.buried()

    def _letter_document(self, event: Stored) -> dict[str, object]:
        """A dead letter of the custom schema lies in an Event Grid envelope."""
        schema = self.subscription.settings.schema
        return convert(event, DeliverySchema.EVENT_GRID if schema is DeliverySchema.CUSTOM_INPUT else schema)

    def _remember(self, waiting: Waiting, result: str, last: Attempt | None) -> None:
        before = self._desk.store.attempts(waiting.number) if waiting.attempts else []
        attempts = (*before, last) if last else tuple(before)
        self._desk.finished.append(Finished(waiting.event_id, self.subscription.name, result, attempts))


class Dispatcher:
    """Keeps a lane running for every subscription that is provisioned."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lanes: dict[int, tuple[Lane, asyncio.Task[None]]] = {}

    def serve(self, subscription: Subscription) -> None:
        """Deliver to `subscription` from now on, with its settings as they are now."""
        if found := self._lanes.get(subscription.number):
            found[0].subscription = subscription
            found[0].wake()
            return
        lane = Lane(subscription, self._desk)
        self._lanes[subscription.number] = (lane, asyncio.create_task(self._supervise(lane)))

    async def drop(self, number: int) -> None:
        """Deliver no more from that queue; what is under way is cut off."""
        if found := self._lanes.pop(number, None):
            found[1].cancel()
            await asyncio.gather(found[1], return_exceptions=True)

    def wake(self, number: int) -> None:
        """Something may be due in that queue."""
        if found := self._lanes.get(number):
            found[0].wake()

    def hurry(self, number: int) -> None:
        """Something in that queue is to be delivered now, whatever was put aside."""
        if found := self._lanes.get(number):
            found[0].hurry()

    async def close(self, drain_seconds: float) -> None:
        """Start nothing new, wait for what is under way, then cut it off (it is delivered again after a start)."""
        tasks = [task for _, task in self._lanes.values()]
        for lane, _ in self._lanes.values():
            lane.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=drain_seconds)
        for number in list(self._lanes):
            await self.drop(number)

    async def _supervise(self, lane: Lane) -> None:
        """A lane that breaks is told loudly and begins again: all its state is in the store."""
        while True:
            try:
                await lane.run()
                return
            except* Exception:
                logger.exception("the lane of %s broke; it begins again", lane.subscription.name)
            lane = self._renew(lane)
            await asyncio.sleep(limits.RESTART_SECONDS)

    def _renew(self, broken: Lane) -> Lane:
        lane = Lane(broken.subscription, self._desk)
        _, task = self._lanes[broken.subscription.number]
        self._lanes[broken.subscription.number] = (lane, task)
        return lane


def _answer(incoming: Incoming) -> Answer:
    excerpt = incoming.body[: limits.ANSWER_EXCERPT_BYTES_MAX].decode("utf-8", "replace")
    return Answer(incoming.status, incoming.outcome, excerpt)
