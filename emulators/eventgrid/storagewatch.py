"""Storage events: what happens to the blobs of the storage account becomes events of its system topic.

The storage emulator tells nobody what it does, so its blobs are listed every second and compared with what they were;
that memory is on disk, so a stop misses nothing but what was undone meanwhile. Seen are creations, replacements,
deletions and changes of the tier. Not seen: a blob that came and went between two looks, the second of two writes
between them, a new content of the same length together with new metadata where no MD5 tells, and what only a request
knows (`clientRequestId` is left out). Setting the metadata that a blob has looks like writing it. Deleting a container
is not deleting its blobs, as in Azure.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.eventgrid import limits
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.publish import Publisher
from emulators.eventgrid.schemas import Event, Schema
from emulators.eventgrid.storage import Blob, BlobSource, ContainerGone, StorageUnavailable
from emulators.eventgrid.systemtopics import BLOB_CREATED, BLOB_DELETED, BLOB_TIER_CHANGED, SystemTopic
from emulators.eventgrid.waiting import keep_at
from emulators.eventgrid.watches import Watched, WatchStore

logger = logging.getLogger("eventgrid.storage")
NOT_WATCHED = ("$logs", "$blobchangefeed")
"""Containers without events (docs event-schema-blob-storage)."""


@dataclass(frozen=True, slots=True)
class Change:
    """What has happened to a blob."""

    event_type: str
    blob: Watched
    found: Blob | None = None
    """How it is now; None when it is gone."""


def compare(before: Watched | None, now: Blob, *, since: float | None) -> str | None:
    """The event type of what has happened to a blob, if anything.

    `since` is given on the first look: a blob from before that second is no news.
    """
    if before is None:
        return None if since is not None and now.created < math.floor(since) else BLOB_CREATED
    if now.created != before.created or now.kind != before.kind or _written_again(before, now):
        return BLOB_CREATED
    return BLOB_TIER_CHANGED if now.tier != before.tier else None


def _written_again(before: Watched, now: Blob) -> bool:
    """Whether a block blob was written again, though its creation is the same: within its second, or by a block list.

    The ETag changes with metadata and headers too. If neither differs, it was the content.
    """
    if now.etag == before.etag or now.kind != "BlockBlob":
        return False
    other_md5 = bool(now.md5 and before.md5 and now.md5 != before.md5)
    return now.size != before.size or other_md5 or now.about == before.about


class StorageWatch:
    """Looks at the account while its system topic has event subscriptions."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: WatchStore,
        source: BlobSource,
        publisher: Publisher,
        clock: Clock,
        ids: Ids,
        *,
        look_seconds: float,
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._source = source
        self._publisher = publisher
        self._clock = clock
        self._ids = ids
        self._look_seconds = look_seconds
        self._changed = asyncio.Event()
        self._unavailable = ""
        self._sequence = 0

    def wake(self) -> None:
        """There may be a subscription now."""
        self._changed.set()

    async def run(self) -> None:
        """Look for ever; what breaks is told and begins again."""
        await keep_at(self._work, "watching the storage account")

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            topic = self._watched()
            if topic is None:
                await self._store.forget()
                await self._changed.wait()
                continue
            loop = asyncio.get_running_loop()
            began = loop.time()
            await self._look_if_possible(topic)
            took = loop.time() - began
            await self._pause(max(self._look_seconds, took * limits.STORAGE_LOOK_REST))

    async def _pause(self, seconds: float) -> None:
        """Rest, in real seconds: turning the clock does not make the storage emulator write."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _watched(self) -> SystemTopic | None:
        """The account's system topic, if anybody has subscribed to it."""
        for source in self._catalogue.sources():
            if isinstance(source, SystemTopic) and list(self._catalogue.subscriptions_of(source.id)):
                return source
        return None

    async def _look_if_possible(self, topic: SystemTopic) -> None:
        try:
            await self._look(topic)
        except StorageUnavailable as failure:
            if str(failure) != self._unavailable:
                self._unavailable = str(failure)
                logger.warning("no storage events while the account cannot be listed: %s", failure)
        else:
            self._unavailable = ""

    async def _look(self, topic: SystemTopic) -> None:
        since = await self._store.begin(self._real_now())
        containers = [each for each in await self._source.containers() if each not in NOT_WATCHED]
        await self._store.keep_containers(containers)
        for container in containers:
            with contextlib.suppress(ContainerGone):  # the next look sees that it is no container any more
                await self._look_into(topic, container, since)
        await self._store.begun()

    async def _look_into(self, topic: SystemTopic, container: str, since: float | None) -> None:
        known = self._store.blobs(container)
        seen: set[str] = set()
        async for page in self._source.pages(container):
            seen.update(blob.name for blob in page)
            happened, quiet = [], []
            for blob in page:
                before, after = known.get(blob.name), _remembered(container, blob)
                event_type = compare(before, blob, since=since)
                if event_type is not None:
                    happened.append(Change(event_type, after, blob))
                elif before != after:
                    quiet.append(after)
            await self._tell(topic, happened, quiet)
            if len(seen) >= limits.WATCHED_BLOBS_MAX:
                logger.warning("container %s has more blobs than can be watched (%d)", container, len(seen))
                return
        await self._tell(topic, [Change(BLOB_DELETED, each) for name, each in known.items() if name not in seen], [])

    async def _tell(self, topic: SystemTopic, changes: Sequence[Change], quiet: Sequence[Watched]) -> None:
        """Publish, then remember: a crash between the two tells twice, which subscribers must bear anyway."""
        if changes:
            await self._publisher.accept(topic, [await self._event(topic, change) for change in changes])
        gone = [each.blob for each in changes if each.found is None]
        await self._store.remember([*quiet, *(each.blob for each in changes if each.found)], gone)

    async def _event(self, topic: SystemTopic, change: Change) -> Event:
        blob, found = change.blob, change.found
        event_id = self._ids.guid()
        moment = datetime.fromtimestamp(self._clock.now() if found is None else found.modified, UTC)
        data: dict[str, Any] = {"api": await self._api(change), "requestId": self._ids.guid()}
        if found is not None and change.event_type == BLOB_CREATED:
            data["eTag"] = f'"{found.etag}"'
        data["contentType"] = blob.content_type
        if found is not None:
            data["contentLength"] = found.size
        data |= {
            "blobType": blob.kind,
            "url": f"{self._source.blob_url}/{blob.container}/{quote(blob.name)}",
            "sequencer": self._sequencer(),
            "storageDiagnostics": {"batchId": self._ids.guid()},
        }
        document: Mapping[str, Any] = {
            "topic": topic.source,
            "subject": f"/blobServices/default/containers/{blob.container}/blobs/{blob.name}",
            "eventType": change.event_type,
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z",
            "id": event_id,
            "data": data,
            "dataVersion": "",
            "metadataVersion": "1",
        }
        return Event(Schema.EVENT_GRID, event_id, document)

    async def _api(self, change: Change) -> str:
        """The call that did it, as far as the blob still shows."""
        if change.found is None:
            return "DeleteBlob"
        if change.event_type == BLOB_TIER_CHANGED:
            return "SetBlobTier"
        if change.found.copied:
            return "CopyBlob"
        blocks = change.blob.kind == "BlockBlob" and await self._source.has_blocks(
            change.blob.container, change.blob.name
        )
        return "PutBlockList" if blocks else "PutBlob"

    def _sequencer(self) -> str:
        """A text that is larger for the later of two events, also after a restart."""
        self._sequence = max(self._sequence + 1, int(self._real_now() * 1_000_000))
        return f"{self._sequence:032X}"

    def _real_now(self) -> float:
        return self._clock.now() - self._clock.offset_seconds


def _remembered(container: str, blob: Blob) -> Watched:
    return Watched(
        container, blob.name, blob.etag, blob.created, blob.kind, blob.content_type, blob.tier,
        blob.size, blob.md5, blob.about,
    )  # fmt: skip
