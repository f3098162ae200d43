"""How far a rebuild has come: one document beside the pointer, so that whoever runs it next goes on from there.

It is also a lease. A rebuild renews it as it works, and no other goes on with it until it has lapsed; each change is
made under the document's ETag, so one that was believed dead and is not stops at its next note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from operations.errors import CommandFailed
from operations.limits import LEASE_SECONDS
from order_events import format_moment
from update_order_status_read_model.errors import translated_store_errors
from update_order_status_read_model.point_reads import read_point

JOURNAL_ID = ":rebuild"
"""Its id and its partition, in the container of parked events; no order id has a colon."""


class TakenOver(CommandFailed):
    """Somebody else goes on with the rebuild."""


@dataclass(frozen=True, slots=True)
class Note:
    """Which generation is made from which, the step to be done next, and behind which order copying goes on."""

    source: int
    target: int
    step: str
    after: str
    holder: str
    held_until: datetime

    def document(self) -> dict[str, Any]:
        """The document that keeps it."""
        return {
            "id": JOURNAL_ID,
            "orderId": JOURNAL_ID,
            "type": "rebuild",
            "source": self.source,
            "target": self.target,
            "step": self.step,
            "after": self.after,
            "holder": self.holder,
            "heldUntil": format_moment(self.held_until),
        }


class Journal:
    """The journal in `container`, written by `holder`."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime], holder: str) -> None:
        self._container = container
        self._now = now
        self._holder = holder
        self._note: Note | None = None
        self._etag: str | None = None

    @property
    def note(self) -> Note:
        """What was noted last."""
        assert self._note is not None
        return self._note

    async def look(self) -> Note | None:
        """What is noted, by whomever, or None when no rebuild is under way."""
        document = await read_point(self._container, JOURNAL_ID, JOURNAL_ID)
        if document is None:
            self._note, self._etag = None, None
            return None
        self._etag = document["_etag"]
        self._note = Note(
            document["source"],
            document["target"],
            document["step"],
            document["after"],
            document["holder"],
            datetime.fromisoformat(document["heldUntil"]),
        )
        return self._note

    def is_held(self) -> bool:
        """Whether another rebuild wrote the note and may still be at work."""
        note = self._note
        return note is not None and note.holder != self._holder and note.held_until > self._now()

    async def begin(self, source: int, target: int, step: str) -> None:
        """Start a journal. Raises TakenOver when there is one by now."""
        await self._write(Note(source, target, step, "", self._holder, self._lease()))

    async def put(self, *, step: str | None = None, after: str | None = None) -> None:
        """Note the next step, or how far copying has come; renews the lease. Raises TakenOver."""
        note = self.note
        changed = replace(note, holder=self._holder, held_until=self._lease())
        if step is not None:
            changed = replace(changed, step=step, after="")
        if after is not None:
            changed = replace(changed, after=after)
        await self._write(changed)

    async def renew(self) -> None:
        """Renew the lease when a third of it is over. Raises TakenOver."""
        if self.note.held_until - self._now() < timedelta(seconds=LEASE_SECONDS * 2 / 3):
            await self.put()

    async def end(self) -> None:
        """Throw the journal away. Raises TakenOver."""
        with translated_store_errors():
            try:
                await self._container.delete_item(
                    JOURNAL_ID, JOURNAL_ID, etag=self._etag, match_condition=MatchConditions.IfNotModified
                )
            except CosmosAccessConditionFailedError as failure:
                raise _taken_over() from failure
            except CosmosResourceNotFoundError:
                pass  # an answer that was lost
        self._note, self._etag = None, None

    async def _write(self, note: Note) -> None:
        while not await self._written(note):
            found = await self.look()
            # Our own hand: the write before this one was done, and only its answer was lost.
            if found is None or found.holder != self._holder:
                raise _taken_over()

    async def _written(self, note: Note) -> bool:
        with translated_store_errors():
            try:
                if self._etag is None:
                    document = await self._container.create_item(note.document())
                else:
                    document = await self._container.replace_item(
                        JOURNAL_ID, note.document(), etag=self._etag, match_condition=MatchConditions.IfNotModified
                    )
            except (CosmosResourceExistsError, CosmosAccessConditionFailedError, CosmosResourceNotFoundError):
                return False
        self._note, self._etag = note, document["_etag"]
        return True

    def _lease(self) -> datetime:
        return self._now() + timedelta(seconds=LEASE_SECONDS)


def _taken_over() -> TakenOver:
    return TakenOver("Another rebuild has gone on with this one. Let that finish.")
