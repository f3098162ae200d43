"""Dead letters: what the blob says, and the task that writes it and keeps the event until the blob is safe.

Azurite saves its index every few seconds, so a blob that it has acknowledged may be gone after a crash. The event
stays ours until its blob is still there after that interval; if not, it is written again under the same name.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import orjson

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.eventgrid import limits, metrics
from emulators.eventgrid.conversion import DeliverySchema
from emulators.eventgrid.metrics import Metrics
from emulators.eventgrid.storage import BlobWriter, StorageUnavailable
from emulators.eventgrid.store import DeadLetter, Store
from emulators.eventgrid.waiting import keep_at, wait

logger = logging.getLogger("eventgrid.deadletters")


def letter_content(
    document: dict[str, Any],
    schema: DeliverySchema,
    *,
    reason: str,
    attempts: int,
    outcome: str,
    status: int | None,
    published: float,
    last_attempt: float | None,
) -> bytes:
    """The event as JSON with the service's extra properties. CloudEvents extensions may only be lower case."""
    extra: dict[str, Any] = {"deadLetterReason": reason, "deliveryAttempts": attempts, "lastDeliveryOutcome": outcome}
    if status is not None:
        extra["lastHttpStatusCode"] = status
    extra["publishTime"] = service_time(published)
    if last_attempt is not None:
        extra["lastDeliveryAttemptTime"] = service_time(last_attempt)
    if schema is DeliverySchema.CLOUD_EVENT:
        extra = {name.lower(): value for name, value in extra.items()}
    return orjson.dumps({**document, **extra})


def blob_path(subscription: str, moment: datetime, guid: str) -> str:
    """Where the service puts a dead letter: the subscription in capitals, the UTC hour without padding.

    A namespace's letters lie below namespace/topic/subscription, spelled as they are.
    """
    folder = subscription if "/" in subscription else subscription.upper()
    return f"{folder}/{moment.year}/{moment.month}/{moment.day}/{moment.hour}/{guid}.json"


def service_time(moment: float) -> str:
    """A moment as dead letters spell it: 2017-11-02T18:19:56.1234567Z."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


class DeadLetterOffice:
    """Writes blobs when they are due and confirms them later. `run` goes on until it is cancelled."""

    def __init__(
        self,
        store: Store,
        blobs: BlobWriter,
        clock: Clock,
        ids: Ids,
        counted: Metrics,
        *,
        time_scale: float,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._ids = ids
        self._metrics = counted
        self._time_scale = time_scale
        self._changed = asyncio.Event()
        self._told: set[str] = set()

    def wake(self) -> None:
        """Something has been buried, or the store was emptied."""
        self._changed.set()

    async def run(self) -> None:
        """Write and confirm; what breaks is told and begins again."""
        await keep_at(self._work, "writing dead letters")

    async def _work(self) -> None:
        """Write, confirm, wait."""
        while True:
            self._changed.clear()
            await self._write_due()
            await self._confirm()
            await wait(self._clock, self._next_moment(), self._changed)

    def _next_moment(self) -> float | None:
        """When there is something to do next, by the clock."""
        moments = [moment for moment in (self._store.next_letter_due(), self._first_to_confirm()) if moment is not None]
        return min(moments, default=None)

    def _first_to_confirm(self) -> float | None:
        written = self._store.first_letter_written()
        return None if written is None else written + limits.BLOB_SETTLED_SECONDS + self._clock.offset_seconds

    def _real_now(self) -> float:
        """Turning the clock does not make Azurite save."""
        return self._clock.now() - self._clock.offset_seconds

    async def _write_due(self) -> None:
        while due := self._store.letters_to_write(self._clock.now(), limits.DEAD_LETTER_WRITES_MAX):
            async with asyncio.TaskGroup() as group:
                for letter in due:
                    group.create_task(self._write(letter))

    async def _write(self, letter: DeadLetter) -> None:
        path = letter.path or blob_path(letter.subscription, self._clock.utc(), self._ids.guid())
        try:
            await self._blobs.write(letter.container, path, b"[" + letter.content + b"]")
        except StorageUnavailable as failure:
            await self._unwritten(letter, failure)
            return
        self._told.discard(letter.container)
        if letter.path is None:
            self._metrics.add(metrics.DEAD_LETTERED, subscription=letter.subscription, deadLetterReason=letter.reason)
        await self._store.letter_written(letter.number, path, self._real_now())

    async def _unwritten(self, letter: DeadLetter, failure: StorageUnavailable) -> None:
        now = self._clock.now()
        if now >= letter.gives_up:
            logger.warning("event %s is lost: no dead letter after hours of %s", letter.event_id, failure)
            self._metrics.add(metrics.DROPPED, subscription=letter.subscription, dropReason="DeadLetterUnavailable")
            await self._store.letter_over(letter.number)
            return
        if letter.container not in self._told:
            self._told.add(letter.container)
            logger.warning("container %s does not take dead letters (%s); trying on", letter.container, failure)
        await self._store.letter_postponed(letter.number, now + limits.DEAD_LETTER_RETRY_SECONDS * self._time_scale)

    async def _confirm(self) -> None:
        settled = self._real_now() - limits.BLOB_SETTLED_SECONDS
        for letter in self._store.letters_to_confirm(settled, limits.QUEUE_PAGE):
            assert letter.path is not None
            try:
                there = await self._blobs.exists(letter.container, letter.path)
            except StorageUnavailable:
                await self._store.letter_written(letter.number, letter.path, self._real_now())
                continue
            if there:
                await self._store.letter_over(letter.number)
            else:
                logger.warning("blob %s is gone again; writing it once more", letter.path)
                await self._store.letter_postponed(letter.number, self._clock.now())
